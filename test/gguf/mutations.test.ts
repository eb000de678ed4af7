// 20,000 seeded mutations of real headers: each is refused with a typed error or is a sound file, with bounded work.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { isEngineError } from "../../src/base/errors.ts";
import { readGguf } from "../../src/gguf/gguf.ts";
import { createRandom, type Random } from "../fixtures/random.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { countingSource } from "./counting-source.ts";
import { expectBounded, expectSound } from "./invariants.ts";

const MUTATIONS = 20_000;
const MUTATIONS_OF_VOCABULARIES = 200; // megabytes each: the small headers have the same kinds of field
const data = new URL("data/", import.meta.url);
const vocabularies = new URL("../../../shared/data/vocab/", import.meta.url);

/** A header and the size of the file that it describes. */
type Header = readonly [name: string, header: Uint8Array, size: number];

const realHeaders = readdirSync(data)
  .filter((name) => name.endsWith(".header.gz"))
  .map((name): Header => {
    const bytes = gunzipSync(readFileSync(new URL(name, data)));
    return [name, bytes.subarray(8), Number(bytes.readBigUInt64LE())];
  });
const tiny = tinyModel({ tokenizer: true, qkNorm: true, layerCount: 1, hiddenSize: 32, intermediateSize: 32 });
const headers: Header[] = [...realHeaders, ["tiny model", tiny, tiny.length]];

const EXTREMES = [0n, 1n, 0xffn, 0xffffn, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

/** One to three random changes: bytes, whole fields, cuts, insertions, swaps. */
function mutate(header: Uint8Array, random: Random): Uint8Array {
  let bytes = new Uint8Array(header);
  const count = 1 + random.below(3);
  for (let i = 0; i < count && bytes.length > 16; i++) {
    const view = new DataView(bytes.buffer);
    const at = random.below(bytes.length - 8);
    switch (random.below(6)) {
      case 0:
        bytes[at] = random.uint32() & 255;
        break;
      case 1:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 2:
        view.setBigUint64(at, random.pick(EXTREMES), true);
        break;
      case 3:
        view.setUint32(at, random.below(50), true);
        break;
      case 4:
        bytes = bytes.slice(0, at);
        break;
      case 5: {
        const inserted = new Uint8Array(bytes.length + random.below(9));
        inserted.set(bytes.subarray(0, at));
        inserted.set(bytes.subarray(at), inserted.length - (bytes.length - at));
        bytes = inserted;
      }
    }
  }
  return bytes;
}

/** Bounds are checked; returns whether the file was accepted, and the rule that refused it. */
async function tryMutation([, header, size]: Header, seed: number): Promise<string> {
  const random = createRandom(seed);
  const bytes = mutate(header, random);
  const source = countingSource(bytes, random.below(4) === 0 ? bytes.length : Math.max(size, bytes.length));
  try {
    const gguf = await readGguf(source);
    expectSound(gguf, source);
    return "accepted";
  } catch (error) {
    if (!isEngineError(error, "model_malformed")) throw error;
    return error.details!.rule;
  } finally {
    expectBounded(source);
  }
}

test("the real headers themselves are sound", async () => {
  expect(realHeaders.length).toBeGreaterThanOrEqual(3);
  for (const [, header, size] of headers) {
    const source = countingSource(header, size);
    expectSound(await readGguf(source), source);
  }
});

test(`${MUTATIONS} mutations are refused by a rule or sound`, async () => {
  const outcomes = new Map<string, number>();
  for (let seed = 0; seed < MUTATIONS; seed++) {
    const outcome = await tryMutation(headers[seed % headers.length]!, seed);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  // The mutator reaches both sides and most rules, or it would prove little.
  expect(outcomes.get("accepted")).toBeGreaterThan(MUTATIONS / 100);
  expect(outcomes.get("accepted")).toBeLessThan(MUTATIONS / 2);
  expect(outcomes.size).toBeGreaterThan(15);
});

test.skipIf(!existsSync(vocabularies))(`${MUTATIONS_OF_VOCABULARIES} mutations of whole vocabularies`, async () => {
  const names = readdirSync(vocabularies).filter((name) => name.endsWith(".gguf"));
  for (let seed = 0; seed < MUTATIONS_OF_VOCABULARIES; seed++) {
    const name = names[Math.floor((seed * names.length) / MUTATIONS_OF_VOCABULARIES)]!;
    const header = readFileSync(new URL(name, vocabularies));
    await tryMutation([name, header, header.length], seed);
  }
});
