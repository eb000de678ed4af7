// Characters that are not seen where they stand, and may hide what a text says.

/** Control and format characters, line and paragraph separators; not the two joiners, which emoji and words are made with. */
export const UNSEEN = /(?!\u200c|\u200d)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
