// Loading in a real browser: what the page is told meanwhile, what storage keeps, and what is refused, in which words.
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import type { ProgressEvent } from "../../src/index.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { demoOf, fixturePath, hasBrowser, LOAD_TIMEOUT_MS, openPage, useStage } from "./harness.ts";
import type {} from "./page/page.ts";

const MODEL = "/fixtures/tiny.gguf";

describe.skipIf(!hasBrowser)("loading", () => {
  const stage = useStage();

  async function openBarePage(): Promise<Page> {
    const { page } = await openPage(stage.context, `${stage.site.url}page/`);
    page.setDefaultTimeout(LOAD_TIMEOUT_MS);
    await page.waitForFunction(() => globalThis.ingle !== undefined);
    return page;
  }

  /** Loads the model, lets it say two tokens, and disposes of it. The progress events. */
  function load(page: Page, options: { sha256?: string } = {}): Promise<ProgressEvent[]> {
    return page.evaluate(
      async ({ model, options }) => {
        const events: ProgressEvent[] = [];
        const onProgress = (event: ProgressEvent) => events.push(event);
        const engine = await globalThis.ingle.createEngine({ id: "tiny", model, onProgress, ...options });
        await engine.chat.completions.create({
          model: "tiny",
          messages: [{ role: "user", content: "hello" }],
          max_completion_tokens: 2,
        });
        await engine.dispose();
        return events;
      },
      { model: MODEL, options },
    );
  }

  test("the first visit downloads, uploads and compiles; the second reads from storage, without the URL", async () => {
    const size = readFileSync(fixturePath("tiny.gguf")).byteLength;
    const page = await openBarePage();
    const first = await load(page);
    expect([...new Set(first.map(({ phase }) => phase))].sort()).toEqual(["compile", "download", "ready", "upload"]);
    expect(first.at(-1)).toMatchObject({ phase: "ready", bytes: size, total: size });
    const downloaded = first.filter(({ phase }) => phase === "download");
    expect(downloaded.at(-1)).toMatchObject({ bytes: size, total: size });
    for (const { bytes, total, bytesPerSecond } of first) {
      expect(bytes).toBeLessThanOrEqual(total);
      expect(bytesPerSecond).toBeGreaterThanOrEqual(0);
    }

    await stage.context.route("**/fixtures/**", (route) => route.abort());
    const second = await load(page);
    expect([...new Set(second.map(({ phase }) => phase))].sort()).toEqual(["cache", "compile", "ready", "upload"]);
    const kept = await page.evaluate(async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("ingle-models");
      const sizes: number[] = [];
      for await (const handle of folder.values())
        if (handle.kind === "file") sizes.push((await (handle as FileSystemFileHandle).getFile()).size);
      return sizes;
    });
    expect(kept).toContain(size);
  });

  test("two engines of one URL load side by side", async () => {
    const page = await openBarePage();
    const loads = await Promise.all([load(page), load(page)]);
    expect(loads.map((events) => events.at(-1)?.phase)).toEqual(["ready", "ready"]);
  });

  test("a published SHA-256 that is right loads, one that is wrong refuses the file and keeps nothing of it", async () => {
    const page = await openBarePage();
    const right = await page.evaluate(async (model) => {
      const digest = await crypto.subtle.digest("SHA-256", await (await fetch(model)).arrayBuffer());
      return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
    }, MODEL);
    const codeOf = (sha256: string) =>
      page.evaluate(
        ([model, sha256]) =>
          globalThis.ingle.codeOf(async () => (await globalThis.ingle.createEngine({ model, sha256 })).dispose()),
        [MODEL, sha256] as const,
      );
    expect(await codeOf("0".repeat(64))).toBe("integrity_mismatch");
    const again = await load(page, { sha256: right });
    expect(again.map(({ phase }) => phase)).not.toContain("cache");
    await stage.context.route("**/fixtures/**", (route) => route.abort());
    expect(await codeOf(right)).toBe("none");
  });

  test.each([
    {
      name: "an architecture that it does not know",
      file: () => renamed(tinyModel({ tokenizer: true }), "llama", "mamba"),
      code: "unsupported_architecture",
      words: /mamba[\s\S]*another family/,
    },
    {
      name: "a file that was cut",
      file: () => tinyModel({ tokenizer: true }).slice(0, -1000),
      code: "model_malformed",
      words: /inside the file[\s\S]*Download it again/,
    },
  ])("the page says in words what is wrong with $name", async ({ file, code, words }) => {
    const { page, faults } = await openPage(stage.context, `${stage.site.url}?model=${MODEL}`);
    await demoOf(page).ready();
    const upload = { name: "some.gguf", mimeType: "application/octet-stream", buffer: Buffer.from(file()) };
    await page.getByLabel("Open model").setInputFiles(upload);
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.getAttribute("data-code")).toBe(code);
    expect(await alert.textContent()).toMatch(words);
    expect(faults).toEqual([]);
  });

  test("what was measured of kernels outlives the page, up to 8 keys; without a database it is a miss", async () => {
    const page = await openBarePage();
    const store = (act: "read" | "write", key: string, value?: unknown) =>
      page.evaluate(
        ([act, key, value]) => {
          const store = globalThis.ingle.indexedDbTuningStore(indexedDB);
          return act === "read" ? store.read(key) : store.write(key, value);
        },
        [act, key, value] as const,
      );
    expect(await store("read", "key")).toBeUndefined();
    await store("write", "key", { version: 1, choices: { a: "b" } });
    await page.reload();
    await page.waitForFunction(() => globalThis.ingle !== undefined);
    expect(await store("read", "key")).toEqual({ version: 1, choices: { a: "b" } });
    for (let index = 0; index < 8; index++) await store("write", `key ${index}`, index);
    expect(await store("read", "key")).toBeUndefined();
    expect(await store("read", "key 7")).toBe(7);
    const absent = page.evaluate(() => globalThis.ingle.indexedDbTuningStore(undefined).read("key"));
    await expect(absent).rejects.toThrow("there is no IndexedDB here");
  });
});

/** Under another architecture's name, in the value and in every key; the names have to be of one length. */
function renamed(file: Uint8Array, from: string, to: string): Buffer {
  const text = Buffer.from(file).toString("latin1");
  return Buffer.from(text.replaceAll(from, to), "latin1");
}
