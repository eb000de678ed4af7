// 2,000 seeded requests: a sound answer, streamed and plain alike, or a refusal that names its field. Nothing else happens.
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { createRandom } from "../fixtures/random.ts";
import { fuzzRequests, requestOf } from "./fuzz-requests.ts";
import { names } from "./paths.ts";
import { validRequest } from "./request-generator.ts";
import { shrunk } from "./shrink.ts";

test("2,000 requests, right and wrong", async () => {
  const { accepted, failures } = await fuzzRequests({ seed: 1, count: 2000 });
  expect(failures).toEqual([]);
  // Neither all refused at the door nor all harmless.
  expect(accepted / 2000).toBeGreaterThan(0.3);
  expect(accepted / 2000).toBeLessThan(0.6);
});

test("a seed and an index name a request, whatever was made before it", () => {
  const text = (seed: number) =>
    inspect(
      Array.from({ length: 500 }, (_, index) => requestOf(seed, index)),
      { depth: 9 },
    );
  expect(text(7)).toBe(text(7));
  expect(text(7)).not.toBe(text(8));
  expect(validRequest("m", createRandom(1))).toEqual(validRequest("m", createRandom(1)));
});

test("a failing request is shrunk to what makes it fail", async () => {
  const body = { model: "m", n: 3, stop: ["a", "bad", "c"], metadata: { k: "v" }, __proto__: null };
  const fails = async (smaller: unknown) => JSON.stringify(smaller).includes("bad");
  expect(await shrunk(body, fails)).toEqual({ stop: ["bad"] });
});

test("a param names what is there, or what is missing from it", () => {
  const body = { messages: [{ role: "user", content: [{ type: "text" }] }], stop: null, "a.b": { "[c]": 1 } };
  const named = ["messages", "messages[0].role", "messages[0].content[0].type", "messages[0].content[0].text", "stop", "a.b.[c]", "model"];
  const others = ["messages[1].role", "message[0]", "messages[0].content[0].text.x", "messages[0]content", "a.c"];
  for (const path of named) expect(names(body, path), path).toBe(true);
  for (const path of others) expect(names(body, path), path).toBe(false);
}); // biome-ignore format: tables
