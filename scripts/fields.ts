// npm run fields: writes README's tables of request fields from the table that requests are checked by.
import { readFile, writeFile } from "node:fs/promises";
import { fieldsMarkdown } from "../src/api/fields-markdown.ts";

export const README = new URL("../README.md", import.meta.url);

export async function main(): Promise<void> {
  const readme = await readFile(README, "utf8");
  await writeFile(README, withFieldTables(readme));
}

/** The text with the tables as they should be, between README's markers. */
export function withFieldTables(readme: string): string {
  return readme.replace(
    /(<!-- fields:begin -->\n)[\s\S]*?(\n<!-- fields:end -->)/,
    (_, begin: string, end: string) => `${begin}\n${fieldsMarkdown()}\n${end}`,
  );
}
