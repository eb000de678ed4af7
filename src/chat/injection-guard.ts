// Keeps what callers write from becoming control tokens: marks their texts before rendering, cuts at the marks after it.
// The tokenizer matches a control token only inside one segment, so a cut inside its text is enough (DESIGN 5, RELIABILITY 2.5).

import type { Json } from "../base/json.ts";
import type { Segment } from "../tokenizer/tokenizer.ts";

/**
 * How caller text is marked. `occurrences` cuts each control text that stands in it, and leaves every other text as it is.
 * The others are rendered only to compare with: `edges` marks every character that a control text could begin or end with,
 * `everywhere` also the ends of each text. No control text made of caller text, whole or in part, joined by the template or
 * not, survives them; but a template may read such texts differently.
 */
export type Marking = "occurrences" | "edges" | "everywhere";

export interface InjectionGuard {
  /** A private-use character that stands nowhere in the texts; random, so that no caller can foresee it. */
  marker(texts: readonly string[]): string;
  /** A copy with marks in all texts and keys, but those under the keys `role` and `type`. Marks already there are removed. */
  mark(value: Json, marker: string, marking: Marking): Json;
  /** Cuts rendered text at the marks. */
  split(rendered: string, marker: string): Segment[];
  /** The control texts that a tokenizer would find, in order: leftmost, longest. */
  controlsIn(segments: readonly Segment[]): string[];
}

const FIRST_MARKER = 0xe000; // the private use area of the basic plane: one UTF-16 unit each
const MARKER_COUNT = 6400;
/** Chosen by the protocol, not by a caller; and templates compare them. */
const PROTOCOL_KEYS: ReadonlySet<string> = new Set(["role", "type"]);

export function createInjectionGuard(controlPieces: readonly string[]): InjectionGuard {
  const pieces = controlPieces.filter((piece) => piece !== "");
  const trie = buildTrie(pieces);
  const firsts = new Set(pieces.map((piece) => piece[0]!));
  const lasts = new Set(pieces.map((piece) => piece.at(-1)!));
  // Blanks around a text stay outside its marked ends, so that templates trim it, or find it blank, as before.
  const blanksMatter = pieces.some((piece) => /\s/.test(piece));
  const singles = new Set(pieces.filter((piece) => piece.length === widthAt(piece, 0)));

  const markText = (text: string, marker: string, marking: Marking): string => {
    const clean = text.replaceAll(marker, "");
    let marked = "";
    let copied = 0;
    const cutAt = (place: number): void => {
      marked += clean.slice(copied, place) + marker;
      copied = place;
    };
    for (let i = 0; i < clean.length; i++) {
      const char = clean[i]!;
      if (marking === "occurrences") {
        if (!firsts.has(char) || longestAt(trie, clean, i) === 0) continue;
        const width = widthAt(clean, i);
        if (singles.has(clean.slice(i, i + width))) cutAt(i);
        cutAt(i + width); // every control text that starts here is cut after its first character
      } else {
        if (lasts.has(char)) cutAt(i);
        if (firsts.has(char)) cutAt(i + widthAt(clean, i));
      }
    }
    marked += clean.slice(copied);
    const inner = blanksMatter ? marked : marked.trim();
    if (marking !== "everywhere" || inner === "") return marked;
    const start = marked.indexOf(inner);
    return marked.slice(0, start) + marker + inner + marker + marked.slice(start + inner.length);
  };

  const mark = (value: Json, marker: string, marking: Marking): Json => {
    if (typeof value === "string") return markText(value, marker, marking);
    if (typeof value !== "object" || value === null) return value;
    if (isList(value)) return value.map((entry) => mark(entry, marker, marking));
    const inKey = marking === "everywhere" ? "edges" : marking; // a template finds entries by their keys
    const entries = Object.entries(value).map(([key, entry]): [string, Json | undefined] => {
      if (entry === undefined || (PROTOCOL_KEYS.has(key) && typeof entry === "string")) return [key, entry];
      return [markText(key, marker, inKey), mark(entry, marker, marking)];
    });
    return Object.fromEntries(entries);
  };

  return {
    marker(texts) {
      const start = crypto.getRandomValues(new Uint16Array(1))[0]! % MARKER_COUNT;
      for (let step = 0; step < MARKER_COUNT; step++) {
        const marker = String.fromCharCode(FIRST_MARKER + ((start + step) % MARKER_COUNT));
        if (!texts.some((text) => text.includes(marker))) return marker;
      }
      return String.fromCharCode(FIRST_MARKER + start); // all 6,400 are in use: this one is removed from caller text
    },
    mark,
    split(rendered, marker) {
      // `tojson(ensure_ascii=true)` writes the mark as an escape.
      const escaped = "\\u" + marker.charCodeAt(0).toString(16);
      const parts = rendered.replaceAll(escaped, marker).split(marker);
      return parts
        .map((text, i) => ({ text, control: !(singles.has(text) && i > 0 && i < parts.length - 1) }))
        .filter(({ text }) => text !== "");
    },
    controlsIn(segments) {
      const found: string[] = [];
      for (const { text, control } of segments) {
        for (let i = 0; control && i < text.length; i++) {
          const length = firsts.has(text[i]!) ? longestAt(trie, text, i) : 0;
          if (length === 0) continue;
          found.push(text.slice(i, i + length));
          i += length - 1;
        }
      }
      return found;
    },
  };
}

/** UTF-16 units of the character at a place. */
function widthAt(text: string, place: number): number {
  return (text.codePointAt(place) ?? 0) > 0xffff ? 2 : 1;
}

interface TrieNode {
  readonly next: Map<string, TrieNode>;
  ends: boolean;
}

function buildTrie(pieces: readonly string[]): TrieNode {
  const root: TrieNode = { next: new Map(), ends: false };
  for (const piece of pieces) {
    let node = root;
    for (let i = 0; i < piece.length; i++) {
      let next = node.next.get(piece[i]!);
      if (next === undefined) {
        next = { next: new Map(), ends: false };
        node.next.set(piece[i]!, next);
      }
      node = next;
    }
    node.ends = true;
  }
  return root;
}

/** Length of the longest control text at a place; 0: none. */
function longestAt(root: TrieNode, text: string, place: number): number {
  let node: TrieNode | undefined = root;
  let longest = 0;
  for (let i = place; i < text.length; i++) {
    node = node.next.get(text[i]!);
    if (node === undefined) break;
    if (node.ends) longest = i - place + 1;
  }
  return longest;
}

/** Array.isArray does not narrow readonly arrays. */
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
