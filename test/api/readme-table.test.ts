// README's table of request fields is the table that the code checks by.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fieldsMarkdown } from "../../src/api/fields.ts";

test("README shows the table as it is: paste what fieldsMarkdown() returns between the markers", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const shown = /<!-- fields:begin -->\n([\s\S]*?)\n<!-- fields:end -->/.exec(readme)?.[1];
  expect(shown?.trim()).toBe(fieldsMarkdown());
});
