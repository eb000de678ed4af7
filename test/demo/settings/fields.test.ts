import { expect, test } from "vitest";
import { CONTROL_NAMES } from "../../../demo/settings/controls.ts";
import { FIELDS } from "../../../src/api/fields.ts";

test("every control of the page is a field that the engine takes", () => {
  const refused = CONTROL_NAMES.filter((name) => {
    const row: { support: string } | undefined = FIELDS[name as keyof typeof FIELDS];
    return row === undefined || row.support === "refused";
  });
  expect(refused).toEqual([]);
});
