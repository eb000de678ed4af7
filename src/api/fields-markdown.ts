// README's tables of request fields, written from the one table (fields.ts).
import type { FieldRow } from "./field-row.ts";
import { FIELDS } from "./fields.ts";

/** Three tables: OpenAI's fields that are honoured, our extensions, and OpenAI's fields that are refused. */
export function fieldsMarkdown(): string {
  const rows = Object.entries<FieldRow>(FIELDS);
  const honoured = rows.flatMap(([name, row]) =>
    row.support === "honoured" ? [[`\`${name}\``, row.range, row.fallback, row.note]] : [],
  );
  const extensions = rows.flatMap(([name, row]) =>
    row.support === "extension" ? [[`\`${name}\``, row.range, row.fallback, row.note]] : [],
  );
  const refused = rows.flatMap(([name, row]) =>
    row.support === "refused" ? [[`\`${name}\``, row.range, row.passing ?? "", row.note]] : [],
  );
  return [
    "Honoured:",
    table(["Field", "Values", "Default", "Notes"], honoured),
    "Extensions of ours, beside OpenAI's fields, each named as in the engine or paper that it comes from:",
    table(["Extension", "Values", "Default", "What it does, and whose it is"], extensions),
    "Refused by name, once their types were checked; a value that asks for nothing passes:",
    table(["Field", "Values", "Passes", "Why, or what to do instead"], refused),
  ].join("\n\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
