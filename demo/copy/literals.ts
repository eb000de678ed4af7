// Values as text that survives being pasted: only characters that are seen stand for themselves.
import type { Json } from "../../src/base/json.ts";
import { UNSEEN } from "../unseen.ts";

/** A JavaScript expression, over several lines where it has parts. Lone surrogates and unseen characters are escaped. */
export function javaScriptLiteral(value: Json): string {
  // No string of it holds a real line break or a bare quote, so that only a key can look like this at a line's start.
  return visibleJson(value).replace(/^( *)"([A-Za-z_]\w*)": /gm, "$1$2: ");
}

/**
 * JSON as one word of a command line. In single quotes only two characters mean anything to any of sh, bash, zsh and fish:
 * the quote itself, and, to fish, a backslash before another; JSON can write both in other ways.
 */
export function shellQuotedJson(value: Json): string {
  const json = visibleJson(value)
    .replace(/\\./g, (pair) => (pair === "\\\\" ? "\\u005c" : pair))
    .replaceAll("'", "\\u0027");
  return `'${json}'`;
}

const ALL_UNSEEN = new RegExp(UNSEEN, "gu");

function visibleJson(value: Json): string {
  return JSON.stringify(value, null, 2).replace(ALL_UNSEEN, (character) => {
    if (character === "\n") return character; // between the values: inside a string JSON has escaped it
    return Array.from({ length: character.length }, (_, at) => escapeUnit(character.charCodeAt(at))).join("");
  });
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}
