// Where a text stops being JSON: JSON.parse says so in other words in every browser, and in some not at all.

const LITERAL = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** The first position (in UTF-16 units) at which `text` cannot go on as JSON (RFC 8259); its length when it only ends too early. */
export function jsonFault(text: string): number | undefined {
  const open: ("[" | "{")[] = [];
  let expected: "value" | "first value" | "key" | "first key" | "end" = "value";
  let at = 0;
  for (;;) {
    at = afterSpace(text, at);
    const character = text[at];
    if (expected === "end") {
      const inside = open.at(-1);
      if (inside === undefined) return at === text.length ? undefined : at;
      if (character === ",") expected = inside === "[" ? "value" : "key";
      else if (character === (inside === "[" ? "]" : "}")) open.pop();
      else return at;
      at++;
    } else if ((expected === "first value" && character === "]") || (expected === "first key" && character === "}")) {
      open.pop();
      expected = "end";
      at++;
    } else if (expected === "key" || expected === "first key") {
      const end = afterString(text, at);
      if (end.fault) return end.at;
      at = afterSpace(text, end.at);
      if (text[at] !== ":") return at;
      expected = "value";
      at++;
    } else if (character === "[" || character === "{") {
      open.push(character);
      expected = character === "[" ? "first value" : "first key";
      at++;
    } else if (character === '"') {
      const end = afterString(text, at);
      if (end.fault) return end.at;
      at = end.at;
      expected = "end";
    } else {
      LITERAL.lastIndex = at;
      if (!LITERAL.test(text)) return at;
      at = LITERAL.lastIndex;
      expected = "end";
    }
  }
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && " \t\n\r".includes(text[at]!)) at++;
  return at;
}

function afterString(text: string, from: number): { at: number; fault: boolean } {
  if (text[from] !== '"') return { at: from, fault: true };
  let at = from + 1;
  while (at < text.length && text[at] !== '"') {
    if (text[at]! < " ") return { at, fault: true };
    if (text[at] === "\\") {
      ESCAPE.lastIndex = at;
      if (!ESCAPE.test(text)) return { at, fault: true };
      at = ESCAPE.lastIndex;
    } else at++;
  }
  return at < text.length ? { at: at + 1, fault: false } : { at, fault: true };
}
