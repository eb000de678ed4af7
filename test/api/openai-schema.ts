// OpenAI's own JSON Schema of the API, to judge what goes out and what comes in.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { Validator } from "@cfworker/json-schema";

const FILE = new URL("data/openai-schema.json.gz", import.meta.url);
const { $defs } = JSON.parse(gunzipSync(readFileSync(FILE)).toString());

/** Takes a value, and returns what the schema's definition of that name finds wrong with it. */
export function openAIFaults(definition: string): (value: unknown) => string[] {
  const validator = new Validator({ $defs, $ref: `#/$defs/${definition}` }, "2020-12", false);
  return (value) =>
    validator.validate(value).errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`);
}
