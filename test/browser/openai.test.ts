// The conformance suite in Chromium: with the `openai` package in the page, before a real worker and a tiny model, through
// `engine.fetch` and, without any fetch of the engine's, through the service worker.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { schemaFaults } from "../conformance/openai/judge.ts";
import { hasBrowser, openPage, useStage } from "./harness.ts";
import type { Suite } from "./page/openai-suite.ts";
import type {} from "./page/page.ts";

declare global {
  var suite: Suite;
}

/** No check takes a tenth of this: one that hangs is to be named. */
const HANGING_MS = 20_000;

async function hanging(): Promise<string[]> {
  await new Promise((resolve) => setTimeout(resolve, HANGING_MS).unref());
  return ["it hangs"];
}

describe.skipIf(!hasBrowser)("the conformance suite in a page", () => {
  const stage = useStage({ collecting: true });

  async function openSuite(): Promise<Page> {
    const { page } = await openPage(stage.context, `${stage.site.url}page/`);
    await page.waitForFunction(() => globalThis.ingle !== undefined);
    await page.evaluate(async () => {
      const { openSuite } = await globalThis.ingle.importSuite();
      globalThis.suite = await openSuite("/fixtures/tiny.gguf");
    });
    return page;
  }

  test("every way passes", async () => {
    const page = await openSuite();
    const claims = await page.evaluate(() => globalThis.suite.claims);
    const failed: string[] = [];
    for (const [way, ofWay] of Object.entries(claims)) {
      for (const claim of ofWay) {
        const run = page.evaluate(([way, claim]) => globalThis.suite.run(way, claim), [way, claim] as const);
        const faults = await Promise.race([run.then(schemaFaults, (error: Error) => [error.message]), hanging()]);
        if (faults.length > 0) failed.push(`${way}: ${claim}: ${faults.join("; ")}`);
      }
    }
    expect(failed).toEqual([]);
    expect(Object.keys(claims)).toEqual(["create", "engine.fetch", "the service worker"]);
    expect(await page.evaluate(() => globalThis.suite.say("Hello"))).toMatch(/\w/);
  });

  // Chromium's minor collections take the JavaScript side of streams that are being read: nothing may hang on it.
  test("collections of garbage end no stream that is read, none keeps an abort away, and one thrown away ends", async () => {
    const page = await openSuite();
    const ends = await page.evaluate(async () => {
      const { fetch, finishes } = globalThis.suite;
      const messages = [{ role: "user", content: "Hi" }];
      const headers = { "content-type": "application/json" };
      const start = async (max_tokens: number | null, signal: AbortSignal | null = null) => {
        const body = JSON.stringify({ model: "tiny", messages, max_tokens, stream: true });
        return (await fetch("/v1/chat/completions", { method: "POST", headers, body, signal })).body!.getReader();
      };
      const read = async (reader: ReadableStreamDefaultReader<Uint8Array>) => {
        for (let next = await reader.read(); !next.done; next = await reader.read()) globalThis.gc!({ type: "minor" });
        return "whole";
      };
      const whole = await Promise.all([1, 2, 3, 4].map(async () => read(await start(40))));

      const controller = new AbortController();
      const aborted = start(null, controller.signal)
        .then(read)
        .catch((error: Error) => error.name);
      setTimeout(() => controller.abort(), 50);
      const ends = [...whole, await aborted];

      await (async () => void (await (await start(null)).read()))();
      while (finishes.length < 6) {
        globalThis.gc!();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return [...ends, ...finishes];
    });
    expect(ends).toEqual([
      ...["whole", "whole", "whole", "whole", "AbortError"],
      ...["length", "length", "length", "length", "aborted", "aborted"],
    ]);
  });
});
