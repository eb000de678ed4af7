// Values that are written as text: what a visitor types -> what the request says. Ranges are the engine's to check.
import { EngineError } from "../../src/index.ts";

/** A number while it is one exactly, else its digits: the engine takes seeds of 64 bits. */
export function readSeed(text: string, field: string): number | string | undefined {
  const digits = text.trim();
  if (digits === "") return undefined;
  if (!/^-?\d+$/.test(digits)) throw unreadable(field, digits, "a whole number, as in 42");
  return Number.isSafeInteger(Number(digits)) ? Number(digits) : digits;
}

/** One text a line, as it stands, spaces and all; `\n`, `\t` and `\\` are a line break, a tab and a backslash. */
export function readLines(text: string): string[] | undefined {
  const lines = linesOf(text).map((line) => line.replace(/\\[nt\\]/g, (pair) => ESCAPES[pair]!));
  return lines.length === 0 ? undefined : lines;
}

/** A token id and a bias on each line. */
export function readLogitBias(text: string, field: string): Record<string, number> | undefined {
  const pairs = linesOf(text)
    .filter((line) => line.trim() !== "")
    .map((line): [string, number] => {
      const [, id, bias] = /^\s*(\d+)\s*[\s:=,]\s*([-−+]?\d+)\s*$/.exec(line) ?? [];
      if (id === undefined || bias === undefined)
        throw unreadable(field, line, "a token id and a whole number, as in 1234 -100");
      return [String(BigInt(id)), Number(bias.replace("−", "-"))];
    });
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}

/** Token ids between spaces or commas. */
export function readIds(text: string, field: string): number[] | undefined {
  const ids = text.split(/[\s,]+/).filter((id) => id !== "");
  const wrong = ids.find((id) => !/^\d+$/.test(id));
  if (wrong !== undefined) throw unreadable(field, wrong, "token ids, as in 2, 32000");
  return ids.length === 0 ? undefined : ids.map(Number);
}

const ESCAPES: Readonly<Record<string, string>> = { "\\n": "\n", "\\t": "\t", "\\\\": "\\" };

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line !== "");
}

function unreadable(field: string, found: string, expected: string): EngineError<"invalid_request"> {
  return new EngineError("invalid_request", `"${found}" cannot be read: expected ${expected}.`, { param: field });
}
