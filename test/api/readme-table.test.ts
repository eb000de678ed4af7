// README's tables of request fields are the table that the code checks by.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { README, withFieldTables } from "../../scripts/fields.ts";
import { FIELDS } from "../../src/api/fields.ts";

const readme = readFileSync(README, "utf8");

test("README shows the tables as they are: `npm run fields` writes them", () => {
  expect(readme).toBe(withFieldTables(readme));
});

test("each field has one row", () => {
  const names = [...readme.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!);
  for (const name of Object.keys(FIELDS)) expect(names.filter((shown) => shown === name)).toEqual([name]);
});

test("extensions and refused fields are told apart from what is honoured", () => {
  const part = (from: string, to: string) => readme.slice(readme.indexOf(from), readme.indexOf(to));
  const honoured = part("Honoured:", "Extensions of ours");
  const extensions = part("Extensions of ours", "Refused by name");
  const refused = part("Refused by name", "<!-- fields:end -->");
  expect(honoured).toContain("| `seed` |");
  expect(extensions).toContain("| `dry_multiplier` |");
  expect(extensions).not.toContain("| `seed` |");
  expect(refused).toContain("| `tools` | array | `[]` | Tools are not supported yet. |");
});
