// Writes openai-schema.json.gz: of a JSON Schema made from openai/openai-openapi 2.3.0 (MIT, openai-schema.LICENSE), the
// definitions that the tests name and all that these refer to. Usage: node make-openai-schema.mjs chat-completions.schema.json
import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const ROOTS = [
  "CreateChatCompletionRequest",
  "CreateChatCompletionResponse",
  "CreateChatCompletionStreamResponse",
  "ErrorResponse",
  "ListModelsResponse",
  "Model",
];

const { $comment, $defs } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const kept = new Set(ROOTS);
// A set hands out what is added to it while it is being read.
for (const name of kept)
  for (const [, referred] of JSON.stringify($defs[name]).matchAll(/#\/\$defs\/(\w+)/g)) kept.add(referred);
const schema = { $comment, $defs: Object.fromEntries([...kept].sort().map((name) => [name, $defs[name]])) };
writeFileSync(new URL("openai-schema.json.gz", import.meta.url), gzipSync(JSON.stringify(schema), { level: 9 }));
