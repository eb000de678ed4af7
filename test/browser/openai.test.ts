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

describe.skipIf(!hasBrowser)("the conformance suite in a page", () => {
  const stage = useStage();

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
        const faults = await run.then(schemaFaults, (error: Error) => [error.message]);
        if (faults.length > 0) failed.push(`${way}: ${claim}: ${faults.join("; ")}`);
      }
    }
    expect(failed).toEqual([]);
    expect(Object.keys(claims)).toEqual(["create", "engine.fetch", "the service worker"]);
    expect(await page.evaluate(() => globalThis.suite.say("Hello"))).toMatch(/\w/);
  });
});
