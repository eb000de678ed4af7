// OpenAI's own JSON Schema of the API, from the shared data folder: absent in a clone elsewhere.
import { existsSync, readFileSync } from "node:fs";
import { Validator } from "@cfworker/json-schema";

const FILE = new URL("../../../shared/data/openai/chat-completions.schema.json", import.meta.url);

export const hasOpenAISchema = existsSync(FILE);

/** Takes a value, and returns what the schema's definition of that name finds wrong with it. */
export function openAIFaults(definition: string): (value: unknown) => string[] {
  const { $defs } = JSON.parse(readFileSync(FILE, "utf8"));
  const validator = new Validator({ $defs, $ref: `#/$defs/${definition}` }, "2020-12", false);
  return (value) =>
    validator.validate(value).errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`);
}
