// GPT-2's alphabet: byte-level vocabularies spell each byte as one printable character.
// Source: `bytes_to_unicode` in OpenAI's gpt-2 encoder.py.

/** Character code of each byte. Bytes that print stand for themselves, the others follow from U+0100 on. */
export const BYTE_TO_CODE: Uint16Array = new Uint16Array(256);

/** Byte of each character code below 512; -1 where there is none. */
const CODE_TO_BYTE = new Int16Array(512).fill(-1);

for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const prints = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  const code = prints ? byte : next++;
  BYTE_TO_CODE[byte] = code;
  CODE_TO_BYTE[code] = byte;
}

/**
 * Writes the bytes that a token's text spells into `out`.
 * @param text UTF-8 of the token's text
 * @returns how many were written; -1 when the text is not in the alphabet (an added token, spelled as it is)
 */
export function unspell(text: Uint8Array, out: Uint8Array, at: number): number {
  let written = 0;
  for (let i = 0; i < text.length; i++) {
    const first = text[i]!;
    let code = first;
    if (first >= 0x80) {
      const second = text[++i];
      if ((first & 0xe0) !== 0xc0 || second === undefined) return -1; // the whole alphabet is below U+0200
      code = ((first & 0x1f) << 6) | (second & 0x3f);
    }
    const byte = code < 512 ? CODE_TO_BYTE[code]! : -1;
    if (byte < 0) return -1;
    out[at + written++] = byte;
  }
  return written;
}
