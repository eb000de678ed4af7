// A stream that nobody can read any more ends the work behind it, and one that somebody still reads is left alone.
import { expect, test } from "vitest";
import { controlledStream } from "../../src/base/controlled-stream.ts";
import { collectUntil } from "./garbage.ts";

function endlessSource() {
  const source = {
    ended: false,
    next: async () => ({ done: false as const, value: 1 }),
    async return() {
      source.ended = true;
      return { done: true as const, value: undefined };
    },
  };
  return source;
}

for (const chunks of [0, 2]) {
  test(`a stream that is thrown away after ${chunks} chunks`, async () => {
    const source = endlessSource();
    await (async () => {
      const iterator = controlledStream(source, new AbortController())[Symbol.asyncIterator]();
      for (let read = 0; read < chunks; read++) await iterator.next();
    })();
    await collectUntil(() => source.ended);
    expect(source.ended).toBe(true);
  });
}

test("a read that is waited for keeps the stream, even if nothing else does", async () => {
  const source = endlessSource();
  let give: (result: { done: false; value: number }) => void = () => {};
  source.next = () =>
    new Promise((resolve) => {
      give = resolve;
    });
  const reading = controlledStream(source, new AbortController())[Symbol.asyncIterator]().next();
  await collectUntil(() => source.ended);
  expect(source.ended).toBe(false);
  give({ done: false, value: 7 });
  expect(await reading).toEqual({ done: false, value: 7 });
});
