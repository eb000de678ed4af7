// The chat templates that tests run over: those that are committed, and all of ../shared/data where a checkout has it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Json } from "../../src/base/json.ts";

const data = new URL("data/templates.json.gz", import.meta.url).pathname;
const shared = new URL("../../../shared/data/templates/", import.meta.url).pathname;

/** Name -> source. */
export const TEMPLATES: Readonly<Record<string, string>> = { ...readCommitted(), ...readShared() };

export const SPECIALS = { bosText: "<s>", eosText: "</s>" } as const;

/** What a template cannot do without, beside messages: FireFunction's adds these two to text. */
export function demandedVariables(name: string): { readonly [variable: string]: Json } {
  return name.includes("firefunction") ? { functions: "[]", datetime: "now" } : {};
}

function readCommitted(): Record<string, string> {
  return JSON.parse(gunzipSync(readFileSync(data)).toString()).templates;
}

function readShared(): Record<string, string> {
  if (!existsSync(shared)) return {};
  const files = readdirSync(shared).filter((file) => file.endsWith(".jinja"));
  return Object.fromEntries(files.map((file) => [file, readFileSync(shared + file, "utf8")]));
}
