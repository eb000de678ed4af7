// Memory runs out in the moment in which something else is half done: an abort, a reader who leaves, a cut that takes its time.
import { expect, test } from "vitest";
import { EngineError } from "../../src/base/errors.ts";
import type { StepBatch } from "../../src/runtime/runtime.ts";
import { BASE, ENDLESS, gate, OPEN, openWith, turns } from "./changed-runtime.ts";
import { openScripted, type Script, scattered } from "./scripted-runtime.ts";

const noMemory = () => new EngineError("out_of_memory", "no pages left");
const rowsOf = ({ stage, rows }: StepBatch) => (stage === "decode" ? rows.length : 0);

test("an abort in the step in which its lane has to give way ends the call at once", async () => {
  const controller = new AbortController();
  let failed = false;
  const beforeStep = (_: number, batch: StepBatch) => {
    if (failed || rowsOf(batch) < 2) return;
    failed = true;
    controller.abort();
    throw noMemory();
  };
  const { engine, runtime } = await openScripted({ ...ENDLESS, beforeStep });
  let longEnded = false;
  const long = engine.chat.completions.create({ ...BASE, max_tokens: 150 }).finally(() => {
    longEnded = true;
  });
  const aborted = engine.chat.completions.create(BASE, { signal: controller.signal });
  await expect(aborted).rejects.toMatchObject({ code: "aborted" });
  expect(longEnded).toBe(false);
  expect(runtime.openCount).toBe(1);
  await long;
});

test("a runtime that cannot make memory free fails that step, and the engine goes on", async () => {
  let failures = 0;
  const { engine } = await openWith((runtime) => ({
    step: (batch, signal) => (failures++ === 3 ? Promise.reject(noMemory()) : runtime.step(batch, signal)),
    rewind: () => Promise.reject(new EngineError("disposed", "gone")),
  }));
  await engine.load({ id: "tiny", openModel: OPEN });
  const ends = await Promise.allSettled([1, 2].map(() => engine.chat.completions.create({ ...BASE, max_tokens: 20 })));
  for (const end of ends) expect(end).toMatchObject({ status: "rejected", reason: { code: "out_of_memory" } });
  expect((await engine.chat.completions.create({ ...BASE, max_tokens: 2 })).usage.completion_tokens).toBe(2);
});

test("a prompt that gives way half-way has the logprobs of each position once", async () => {
  const params = { ...BASE, prompt_logprobs: 1, max_tokens: 2 };
  const script: Script = { logits: scattered, prefillRows: 8 };
  const expected = await (await openScripted(script)).engine.chat.completions.create(params);
  let segments = 0;
  const beforeStep = (_: number, { rows: [row] }: StepBatch) => {
    if (typeof row?.want === "object" && row.want.at === "all" && ++segments === 3) throw noMemory();
  };
  const { engine } = await openScripted({ ...script, beforeStep });
  const [, answer] = await Promise.all([
    engine.chat.completions.create({ ...BASE, max_tokens: 30 }),
    engine.chat.completions.create(params),
  ]);
  expect(segments).toBeGreaterThan(3);
  expect(answer.prompt_logprobs).toEqual(expected.prompt_logprobs);
});

for (const slowTurns of [0, 1, 5]) {
  test(`a runtime that takes ${slowTurns} turns to cut and to fork changes no answer`, async () => {
    const ask = (seed: number) => ({ ...BASE, seed, n: 3, max_tokens: 12 });
    const seeds = [1, 2, 3, 4, 5, 6];
    const script: Script = { logits: scattered, maxSequences: 12, prefillRows: 8 };
    const alone = (await openScripted(script)).engine;
    const expected: unknown[] = [];
    for (const seed of seeds) expected.push((await alone.chat.completions.create(ask(seed))).choices);
    let steps = 0;
    const { engine, runtimes } = await openWith(
      (runtime) => ({
        step: (batch, signal) =>
          rowsOf(batch) > 1 && ++steps % 3 === 0 ? Promise.reject(noMemory()) : runtime.step(batch, signal),
        async rewind(sequence, length) {
          await turns(slowTurns);
          return runtime.rewind(sequence, length);
        },
        async fork(sequence) {
          await turns(2 * slowTurns);
          return runtime.fork(sequence);
        },
      }),
      script,
    );
    await engine.load({ id: "tiny", openModel: OPEN });
    const answers = await Promise.all(seeds.map((seed) => engine.chat.completions.create(ask(seed))));
    expect(answers.map(({ choices }) => choices)).toEqual(expected);
    await turns(20);
    expect(runtimes[0]!.openCount).toBe(0);
  });
}

test("a reader who leaves while its lane is being cut frees the sequence after that", async () => {
  const held = gate();
  let taken = false;
  let short = false;
  const freed: number[] = [];
  const { engine, runtimes } = await openWith((runtime) => ({
    step: (batch, signal) => {
      if (!short) return runtime.step(batch, signal);
      short = false;
      return Promise.reject(noMemory());
    },
    async rewind(sequence, length) {
      taken = true;
      await held.opened;
      expect(freed).not.toContain(sequence);
      return runtime.rewind(sequence, length);
    },
    free(sequence) {
      freed.push(sequence);
      runtime.free(sequence);
    },
  }));
  await engine.load({ id: "tiny", openModel: OPEN });
  const slow = await engine.chat.completions.create({ ...BASE, stream: true });
  await turns(100); // parked by now
  short = true;
  const other = engine.chat.completions.create({ ...BASE, max_tokens: 3 });
  await turns(5);
  expect(taken).toBe(true);
  slow.controller.abort();
  await turns(5);
  held.open();
  expect((await other).usage.completion_tokens).toBe(3);
  await turns(5);
  expect(runtimes[0]!.openCount).toBe(0);
});
