// What happens to calls when things break under them: each ends once, with a typed error, and the next one works.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { hasBrowser, LOAD_TIMEOUT_MS, launchBrowser, openPage, useStage } from "./harness.ts";
import type {} from "./page/page.ts";

const LONG = 900; // tokens: nothing but what is tested ends such an answer in time

describe.skipIf(!hasBrowser)("faults", () => {
  const stage = useStage();

  /** The bare page with an engine in `globalThis.engine`. */
  async function openEngine(): Promise<Page> {
    const { page } = await openPage(stage.context, `${stage.site.url}page/`);
    page.setDefaultTimeout(LOAD_TIMEOUT_MS);
    await page.waitForFunction(() => globalThis.ingle !== undefined);
    await page.evaluate(async () => {
      const engine = await globalThis.ingle.createEngine({ id: "tiny", model: "/fixtures/tiny.gguf" });
      const ask = (maxTokens: number, signal?: AbortSignal) =>
        engine.chat.completions.create(
          {
            model: "tiny",
            messages: [{ role: "user", content: "hello" }],
            max_completion_tokens: maxTokens,
            seed: 1,
            stream: true,
          },
          { ...(signal && { signal }) },
        );
      /** Reads a stream to its end; `onFirst` runs once text has come. */
      const read = async (stream: Awaited<ReturnType<typeof ask>>, onFirst?: () => void) => {
        let text = "";
        for await (const chunk of stream) {
          if (text === "" && chunk.choices[0]?.delta.content) onFirst?.();
          text += chunk.choices[0]?.delta.content ?? "";
        }
        return text;
      };
      Object.assign(globalThis, { engine, ask, read });
    });
    return page;
  }

  test("abort, controller and break end a stream, and the next request is clean", async () => {
    const page = await openEngine();
    const result = await page.evaluate(async (long) => {
      const { ask, read } = globalThis as unknown as Helpers;
      const { codeOf } = globalThis.ingle;
      const alone = await read(await ask(12));
      const abort = new AbortController();
      const aborted = await codeOf(async () => read(await ask(long, abort.signal), () => abort.abort()));
      const stream = await ask(long);
      const controlled = await codeOf(() => read(stream, () => stream.controller.abort()));
      for await (const _ of await ask(long)) break;
      return { aborted, controlled, same: (await read(await ask(12))) === alone };
    }, LONG);
    expect(result).toEqual({ aborted: "aborted", controlled: "aborted", same: true });
  });

  test("two requests at once both finish, each as if alone", async () => {
    const page = await openEngine();
    const [alone, first, second] = await page.evaluate(async () => {
      const { ask, read } = globalThis as unknown as Helpers;
      const alone = await read(await ask(12));
      return [alone, ...(await Promise.all([ask(12).then((one) => read(one)), ask(12).then((one) => read(one))]))];
    });
    expect([first, second]).toEqual([alone, alone]);
  });

  test("dispose ends running calls with `disposed`, and later ones too", async () => {
    const page = await openEngine();
    const codes = await page.evaluate(async (long) => {
      const { engine, ask, read } = globalThis as unknown as Helpers;
      const { codeOf } = globalThis.ingle;
      let started = () => {};
      const streaming = new Promise<void>((resolve) => {
        started = resolve;
      });
      const running = codeOf(async () => read(await ask(long), started));
      await streaming;
      await engine.dispose();
      return [await running, await codeOf(() => ask(1))];
    }, LONG);
    expect(codes).toEqual(["disposed", "disposed"]);
  });

  test("a worker that ends rejects its calls with `worker_crashed`, and the next call starts another", async () => {
    const page = await openEngine();
    const running = page.evaluate((long) => {
      const { ask, read } = globalThis as unknown as Helpers;
      return globalThis.ingle.codeOf(async () =>
        read(await ask(long), () => Object.assign(globalThis, { streaming: true })),
      );
    }, LONG);
    await page.waitForFunction(() => "streaming" in globalThis);
    await page.workers()[0]!.evaluate(() => globalThis.close());
    expect(await running).toBe("worker_crashed");
    const next = await page.evaluate(async () => {
      const { ask, read } = globalThis as unknown as Helpers;
      return globalThis.ingle.codeOf(async () => read(await ask(4)));
    });
    expect(next).toBe("none");
  });

  test("a worker whose script cannot run rejects with `worker_crashed`", async () => {
    await stage.context.route(/engine-worker.*\.js$/, (route) =>
      route.fulfill({ contentType: "text/javascript", body: "throw new Error('broken')" }),
    );
    const { page } = await openPage(stage.context, `${stage.site.url}page/`);
    await page.waitForFunction(() => globalThis.ingle !== undefined);
    const code = await page.evaluate(() =>
      globalThis.ingle.codeOf(() => globalThis.ingle.createEngine({ id: "tiny", model: "/fixtures/tiny.gguf" })),
    );
    expect(code).toBe("worker_crashed");
  });

  test("a crash of the GPU process is survived by the answer under way: the model is rebuilt from storage", async () => {
    const own = await launchBrowser();
    try {
      const ownContext = await own.newContext();
      const { page } = await openPage(ownContext, `${stage.site.url}page/`);
      await page.waitForFunction(() => globalThis.ingle !== undefined);
      const quiet = await page.evaluate(async (tokens) => {
        const engine = await globalThis.ingle.createEngine({ id: "tiny", model: "/fixtures/tiny.gguf" });
        const answer = async (onChunk: () => void) => {
          const messages = [{ role: "user" as const, content: "hello" }];
          const params = { model: "tiny", messages, seed: 4, max_tokens: tokens, ignore_eos: true };
          let text = "";
          for await (const chunk of await engine.chat.completions.create({ ...params, stream: true })) {
            text += chunk.choices[0]?.delta.content ?? "";
            onChunk();
          }
          return text;
        };
        Object.assign(globalThis, { answer });
        return answer(() => {});
      }, LONG);
      expect(quiet.length).toBeGreaterThan(0);
      await ownContext.route("**/fixtures/**", (route) => route.abort());
      const disturbed = page.evaluate(() => {
        const { answer } = globalThis as unknown as { answer(onChunk: () => void): Promise<string> };
        return answer(() => Object.assign(globalThis, { streaming: true }));
      });
      await page.waitForFunction(() => "streaming" in globalThis);
      const session = await own.newBrowserCDPSession();
      await session.send("Browser.crashGpuProcess");
      expect(await disturbed).toBe(quiet);
    } finally {
      await own.close();
    }
  });

  test("without WebGPU the page says `webgpu_unavailable` and what to try, and downloads nothing", async () => {
    const plain = await launchBrowser({ webgpu: false });
    try {
      const { page, requests } = await openPage(
        await plain.newContext(),
        `${stage.site.url}?model=/fixtures/tiny.gguf`,
      );
      const alert = page.getByRole("alert");
      await alert.waitFor();
      expect(await alert.getAttribute("data-code")).toBe("webgpu_unavailable");
      expect(await alert.textContent()).toContain("hardware acceleration");
      expect(requests.filter((url) => new URL(url).pathname.endsWith(".gguf"))).toEqual([]);
    } finally {
      await plain.close();
    }
  });
});

/** What openEngine() leaves in the page. */
interface Helpers {
  engine: Awaited<ReturnType<typeof globalThis.ingle.createEngine>>;
  ask(maxTokens: number, signal?: AbortSignal): Promise<AnswerStream>;
  read(stream: AnswerStream, onFirst?: () => void): Promise<string>;
}
type AnswerStream = AsyncIterable<unknown> & { controller: AbortController };
