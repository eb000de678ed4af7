// Sampling on the GPU against the CPU sampler: the same token and the same bits of every logprob, over settings, kinds of
// logits and sizes of vocabularies. `npm run draws` does the same a million times.
import { expect, test } from "vitest";
import { createSampler } from "../../src/sampling/sampler.ts";
import { describeAdapters } from "./adapters.ts";
import { LOGITS, openSampleBench, ROWS, type SampleCase, SETTINGS, sampleCase } from "./sampling-cases.ts";

describeAdapters("GPU sampling", ({ device }) => {
  // All settings on all kinds of logits; where a row is long, each kind meets some of the settings.
  test.each([
    [1, SETTINGS.length],
    [259, SETTINGS.length],
    [1025, SETTINGS.length],
    [3001, SETTINGS.length],
    [49_152, 5],
    [151_936, 1],
  ])("of %i tokens gives what the CPU sampler gives", async (vocabSize, settingsEach) => {
    const bench = await openSampleBench(await device(), vocabSize);
    const judge = createSampler(vocabSize);
    let count = 0;
    for (const [kind, make] of Object.entries(LOGITS)) {
      const logits = make(vocabSize, vocabSize);
      const cases = Array.from({ length: settingsEach }, () =>
        sampleCase(logits, SETTINGS[(count * 3) % SETTINGS.length]!, count++),
      );
      for (let from = 0; from < cases.length; from += ROWS) {
        const part = cases.slice(from, from + ROWS);
        const results = await bench.sample(part);
        part.forEach(({ plan, history }, index) => {
          expect(results[index], `${kind}, ${plan.steps.map(({ name }) => name)}`).toEqual(
            judge.sample(logits, plan, history),
          );
        });
      }
    }
    bench.dispose();
  });

  test("a broken row is a numeric fault with the CPU sampler's message", async () => {
    const bench = await openSampleBench(await device(), 2000);
    const broken = [
      [1999, Number.NaN],
      [0, Number.POSITIVE_INFINITY],
      [1200, Number.NaN],
    ] as const;
    for (const [token, value] of broken) {
      const logits = LOGITS.spread(2000, 1);
      logits[token] = value;
      await expectFault(sampleCase(logits, { topK: 3 }, 1));
    }
    await expectFault(sampleCase(new Float32Array(2000).fill(-Infinity), { topK: 3, topP: 0.5 }, 1));
    bench.dispose();

    async function expectFault(one: SampleCase): Promise<void> {
      const { logits, plan, history } = one;
      let expected: unknown;
      try {
        createSampler(2000).sample(logits, plan, history);
      } catch (error) {
        expected = error;
      }
      expect(expected).toMatchObject({ code: "numeric_fault" });
      const { message } = expected as Error;
      await expect(bench.sample([one])).rejects.toMatchObject({ code: "numeric_fault", message });
    }
  });
});
