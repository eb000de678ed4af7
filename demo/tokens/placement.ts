// Where a small panel goes that belongs to a word: under it, or over it where there is no room, and inside the window.

export interface Size {
  readonly width: number;
  readonly height: number;
}

const GAP = 6; // pixels between word, panel and the window's edge

/** @param word the word's place in the window; all in CSS pixels */
export function placeBeside(
  word: { readonly left: number; readonly top: number; readonly bottom: number },
  panel: Size,
  window: Size,
): { left: number; top: number } {
  const under = word.bottom + GAP;
  const over = word.top - GAP - panel.height;
  const fitsUnder = under + panel.height + GAP <= window.height;
  return {
    left: Math.max(GAP, Math.min(word.left, window.width - panel.width - GAP)),
    top: fitsUnder || over < GAP ? Math.max(GAP, Math.min(under, window.height - panel.height - GAP)) : over,
  };
}
