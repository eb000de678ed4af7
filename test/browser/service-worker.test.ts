// Every script of the origin reaches the engine of one page by a plain `fetch`, and no answer outlives the page that gives it.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { hasBrowser, openPage, useStage } from "./harness.ts";
import type {} from "./page/page.ts";

describe.skipIf(!hasBrowser)("the service worker", () => {
  const stage = useStage({ webgpu: false });

  async function open(): Promise<Page> {
    const { page } = await openPage(stage.context, `${stage.site.url}page/`);
    await page.waitForFunction(() => globalThis.ingle !== undefined);
    return page;
  }

  /**
   * A page that serves. Its handler lists one model; a POST with `stream` is answered by one event for each call of `say`
   * in that page, any other by an echo; `left` counts the requests whose caller has left.
   */
  async function openServing(): Promise<Page> {
    const page = await open();
    await page.evaluate(async () => {
      const told: string[] = [];
      let wake = () => {};
      const script: Script = {
        asked: 0,
        left: 0,
        say(text) {
          told.push(text);
          wake();
        },
        dispose() {},
      };
      const events = (signal: AbortSignal) =>
        new ReadableStream<Uint8Array>(
          {
            async pull(controller) {
              while (told.length === 0 && !signal.aborted)
                await new Promise<void>((resolve) => {
                  wake = resolve;
                });
              const text = told.shift();
              if (text === undefined) return;
              controller.enqueue(new TextEncoder().encode(`data: ${text}\n\n`));
              if (text === "[DONE]") controller.close();
            },
          },
          { highWaterMark: 0 },
        );
      const handler = async (request: Request): Promise<Response> => {
        const { pathname, search } = new URL(request.url);
        if (request.method === "GET") return Response.json({ object: "list", data: [{ id: pathname + search }] });
        script.asked++;
        request.signal.addEventListener("abort", () => {
          script.left++;
          wake();
        });
        const body = await request.json();
        if (body.wait) await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
        const { headers } = request;
        if (!body.stream) return Response.json({ body, key: headers.get("authorization") }, { status: 400 });
        return new Response(events(request.signal), { headers: { "content-type": "text/event-stream" } });
      };
      const serving = await globalThis.ingle.serveFromPage(handler, { scriptURL: "/ingle-service-worker.js" });
      script.dispose = serving.dispose;
      Object.assign(globalThis, { script });
    });
    return page;
  }

  /** Sends a streaming request from `page`, and keeps what has come of it in its `seen`. */
  function startStream(page: Page): Promise<void> {
    return page.evaluate(async () => {
      const controller = new AbortController();
      const seen = { text: "", end: "", leave: () => controller.abort() };
      Object.assign(globalThis, { seen });
      const { signal } = controller;
      const response = await fetch("/v1/chat/completions", { method: "POST", body: '{"stream":true}', signal });
      const read = async () => {
        const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
        for (let next = await reader.read(); !next.done; next = await reader.read()) seen.text += next.value;
        return "closed";
      };
      read().then(
        (end) => Object.assign(seen, { end }),
        (error) => Object.assign(seen, { end: String(error) }),
      );
    });
  }

  const say = (page: Page, text: string) =>
    page.evaluate((line) => (globalThis as unknown as In).script.say(line), text);
  const untilSeen = (page: Page, text: string) =>
    page.waitForFunction((wanted) => (globalThis as unknown as In).seen.text === wanted, text);

  test("the page itself, another page and an iframe get what the handler answers; the network gets the rest", async () => {
    const serving = await openServing();
    const other = await open();
    const list = () => fetch("/v1/models?limit=1").then((response) => response.json());
    const listed = { object: "list", data: [{ id: "/v1/models?limit=1" }] };
    expect(await serving.evaluate(list)).toEqual(listed);
    expect(await other.evaluate(list)).toEqual(listed);
    const inFrame = await serving.evaluate(async () => {
      const frame = document.createElement("iframe");
      frame.srcdoc = "<p>";
      const loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
      document.body.append(frame);
      await loaded;
      const response = await frame.contentWindow!.fetch("/v1/models?limit=1");
      return response.json();
    });
    expect(inFrame).toEqual(listed);
    const status = (path: string) => other.evaluate((url) => fetch(url).then((response) => response.status), path);
    expect([await status("/v2/models"), await status("/page/v1/models"), await status("/page/")]).toEqual([
      404, 404, 200,
    ]);
  });

  test("a page that serves no more ends its stream with an error event, and another page that serves takes over", async () => {
    const first = await openServing();
    const other = await open();
    await startStream(other);
    const second = await openServing();
    await first.evaluate(() => (globalThis as unknown as In).script.dispose());
    await other.waitForFunction(() => (globalThis as unknown as In).seen.end === "closed");
    expect(await other.evaluate(() => (globalThis as unknown as In).seen.text)).toContain("serves no longer");
    await startStream(other);
    await say(second, "from the second");
    await untilSeen(other, "data: from the second\n\n");
  });

  test("a request arrives with its headers and body, and the answer with its status", async () => {
    await openServing();
    const other = await open();
    const answer = await other.evaluate(async () => {
      const body = JSON.stringify({ text: "é".repeat(1_000_000) });
      const headers = { authorization: "Bearer local", "content-type": "application/json" };
      const response = await fetch("/v1/chat/completions", { method: "POST", body, headers });
      const { body: echoed, key } = await response.json();
      return [response.status, response.headers.get("content-type"), key, JSON.stringify(echoed) === body];
    });
    expect(answer).toEqual([400, "application/json", "Bearer local", true]);
  });

  test("a stream is read event by event, as the page says them", async () => {
    const serving = await openServing();
    const other = await open();
    await startStream(other);
    await say(serving, "one");
    await untilSeen(other, "data: one\n\n");
    await say(serving, "two");
    await untilSeen(other, "data: one\n\ndata: two\n\n");
    await say(serving, "[DONE]");
    await other.waitForFunction(() => (globalThis as unknown as In).seen.end === "closed");
  });

  test("a caller who leaves a stream, or is closed while an answer is being made, ends the page's work", async () => {
    const serving = await openServing();
    const other = await open();
    const left = (count: number) =>
      serving.waitForFunction((wanted) => (globalThis as unknown as In).script.left === wanted, count);
    await startStream(other);
    await other.evaluate(() => (globalThis as unknown as In).seen.leave());
    await left(1);
    await startStream(other);
    await other.close();
    await left(2);
    const third = await open();
    await third.evaluate(() => void fetch("/v1/chat/completions", { method: "POST", body: '{"wait":true}' }));
    await serving.waitForFunction(() => (globalThis as unknown as In).script.asked === 3);
    await third.close();
    await left(3);
  });

  test("a service worker that the browser ends ends the page's work too, and the next request starts it anew", async () => {
    const serving = await openServing();
    const other = await open();
    await startStream(other);
    const session = await stage.context.newCDPSession(serving);
    await session.send("ServiceWorker.enable");
    await session.send("ServiceWorker.stopAllWorkers");
    await serving.waitForFunction(() => (globalThis as unknown as In).script.left === 1);
    await startStream(other);
    await say(serving, "after all");
    await untilSeen(other, "data: after all\n\n");
  });

  test("the `openai` package works with nothing but a base URL", async () => {
    const serving = await openServing();
    const other = await open();
    await say(serving, '{"choices":[{"delta":{"content":"hi"}}]}');
    await say(serving, "[DONE]");
    const result = await other.evaluate(async () => {
      const { default: OpenAI } = await globalThis.ingle.importOpenAI();
      const client = new OpenAI({ apiKey: "local", baseURL: `${location.origin}/v1`, dangerouslyAllowBrowser: true });
      const models = await client.models.list();
      const messages = [{ role: "user" as const, content: "hello" }];
      let text = "";
      for await (const chunk of await client.chat.completions.create({ model: "m", messages, stream: true }))
        text += chunk.choices[0]?.delta.content;
      const failed = await client.chat.completions.create({ model: "m", messages }).catch((error) => error.status);
      return { models: models.data.map(({ id }) => id), text, failed };
    });
    expect(result).toEqual({ models: ["/v1/models"], text: "hi", failed: 400 });
  });

  test("when the page that answers is closed, its stream ends with an error event; then there is 503", async () => {
    const serving = await openServing();
    const other = await open();
    await startStream(other);
    await say(serving, "one");
    await untilSeen(other, "data: one\n\n");
    await serving.close();
    await other.waitForFunction(() => (globalThis as unknown as In).seen.end === "closed");
    const [first, last] = (await other.evaluate(() => (globalThis as unknown as In).seen.text)).split("\n\n");
    expect(first).toBe("data: one");
    expect(JSON.parse(last!.replace("data: ", ""))).toMatchObject({
      error: { type: "server_error", code: "disposed" },
    });

    const none = await other.evaluate(async () => {
      const response = await fetch("/v1/models");
      const { headers, status } = response;
      return {
        status,
        retry: headers.get("x-should-retry"),
        type: headers.get("content-type"),
        body: await response.json(),
      };
    });
    expect(none).toEqual({
      status: 503,
      retry: "false",
      type: "application/json",
      body: {
        error: {
          message: expect.stringContaining("Open one"),
          type: "server_error",
          param: null,
          code: "model_not_loaded",
        },
      },
    });
  });
});

/** What `openServing` and `startStream` leave in their pages. */
interface In {
  readonly script: Script;
  readonly seen: { readonly text: string; readonly end: string; leave(): void };
}
interface Script {
  asked: number;
  left: number;
  say(text: string): void;
  dispose(): void;
}
