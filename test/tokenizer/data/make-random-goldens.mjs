// Makes random-NAME.bin.gz (a hash of the ids of each random string) and random-NAME.json.gz (the ids of the first ones)
// with @huggingface/tokenizers, for the vocabularies qwen3 and gpt-2.
// Run in the project's root, after `npm install @huggingface/tokenizers@0.2.0` in some other folder:
//   node test/tokenizer/data/make-random-goldens.mjs THAT-FOLDER
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { runnerImport } from "vite";

const require = createRequire(pathToFileURL(`${process.argv[2]}/package.json`));
const { Tokenizer } = require("@huggingface/tokenizers");
const { module } = await runnerImport("./test/tokenizer/oracle-input.ts");
const { tokenizerJson, RANDOM_STRINGS, FULL_IDS, randomString, hashIds } = module;

for (const name of ["qwen3", "gpt-2"]) {
  const tokenizer = new Tokenizer(await tokenizerJson(name), {});
  const hashes = new Uint32Array(RANDOM_STRINGS);
  const full = [];
  for (let i = 0; i < RANDOM_STRINGS; i++) {
    const { ids } = tokenizer.encode(randomString(i), { add_special_tokens: false });
    hashes[i] = hashIds(ids);
    if (i < FULL_IDS) full.push(ids);
  }
  const folder = new URL(".", import.meta.url);
  writeFileSync(new URL(`random-${name}.bin.gz`, folder), gzipSync(Buffer.from(hashes.buffer), { level: 9 }));
  writeFileSync(new URL(`random-${name}.json.gz`, folder), gzipSync(JSON.stringify(full), { level: 9 }));
}
process.exit(0);
