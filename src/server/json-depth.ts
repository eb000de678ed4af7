// How deep JSON text is nested, before anything parses it: what comes after the parser may recurse, and has a stack.

const [QUOTE, BACKSLASH, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = Array.from('"\\[]{}', (unit) =>
  unit.charCodeAt(0),
);

/** The index of the bracket that opens level `levels` + 1; undefined when there is none. One pass; brackets in strings do not count. */
export function tooDeepAt(text: string, levels: number): number | undefined {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) inString = !inString;
    else if (inString) {
      if (unit === BACKSLASH) i++;
    } else if (unit === OPEN_ARRAY || unit === OPEN_OBJECT) {
      if (++depth > levels) return i;
    } else if (unit === CLOSE_ARRAY || unit === CLOSE_OBJECT) depth--;
  }
  return undefined;
}
