// The default model in Chromium: the answer that exact arithmetic gives, the same as in the terminal, and again from storage.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { DEFAULT_MODEL_PATH, PROJECT_ROOT } from "../../scripts/default-model.ts";
import { demoOf, hasBrowser, openPage, screenshot, useStage } from "./harness.ts";

const QUESTION = "What is the capital of France?";
const ANSWER = "The capital of France is Paris.";

describe.skipIf(!hasBrowser || !existsSync(DEFAULT_MODEL_PATH))("SmolLM2", () => {
  const stage = useStage({ context: { viewport: { width: 1280, height: 800 } } });

  test("answers as the terminal does, and after a reload without its URL again", async () => {
    const { context, site } = stage;
    const { page, faults } = await openPage(context, site.url);
    const demo = demoOf(page);
    await demo.ready();
    await demo.set("Temperature", "0");
    await demo.send(QUESTION);
    expect(await demo.answer("done")).toBe(ANSWER);
    await screenshot(page, "smollm2");
    expect(faults).toEqual([]);

    await context.route("**/models/**", (route) => route.abort());
    await page.reload();
    await demo.ready();
    await demo.set("Temperature", "0");
    await demo.send(QUESTION);
    expect(await demo.answer("done")).toBe(ANSWER);

    const ask = [join(PROJECT_ROOT, "scripts/run.mjs"), "ask", QUESTION, "--temperature", "0"];
    const { stdout } = await promisify(execFile)(process.execPath, ask, { cwd: PROJECT_ROOT });
    expect(stdout.trim()).toBe(ANSWER);
  });
});
