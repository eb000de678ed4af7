// Finds control and user-defined tokens in raw text: leftmost first, the longest of those that start at one place.

export interface SpecialToken {
  readonly id: number;
  readonly text: string;
}

export interface SpecialMatch {
  readonly from: number;
  readonly to: number;
  readonly id: number;
}

export interface SpecialTokens {
  /** All matches inside text[from .. to), in order, none overlapping another. */
  matches(text: string, from: number, to: number): readonly SpecialMatch[];
}

interface Node {
  id: number; // -1: no token ends here
  readonly next: Map<number, Node>;
}

/** @param tokens of equal texts the first counts; empty texts are never matched */
export function createSpecialTokens(tokens: readonly SpecialToken[]): SpecialTokens {
  const root: Node = { id: -1, next: new Map() };
  for (const { id, text } of tokens) {
    let node = root;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      let child = node.next.get(unit);
      if (child === undefined) {
        child = { id: -1, next: new Map() };
        node.next.set(unit, child);
      }
      node = child;
    }
    if (node !== root && node.id < 0) node.id = id;
  }
  const starts = new Uint8Array(1 << 16); // a quick look before the map
  for (const unit of root.next.keys()) starts[unit] = 1;

  return {
    matches(text, from, to) {
      const found: SpecialMatch[] = [];
      if (root.next.size === 0) return found;
      for (let at = from; at < to; at++) {
        if (starts[text.charCodeAt(at)] === 0) continue;
        let node: Node | undefined = root;
        let match: SpecialMatch | undefined;
        for (let i = at; i < to; i++) {
          node = node.next.get(text.charCodeAt(i));
          if (node === undefined) break;
          if (node.id >= 0) match = { from: at, to: i + 1, id: node.id };
        }
        if (match === undefined) continue;
        found.push(match);
        at = match.to - 1;
      }
      return found;
    },
  };
}
