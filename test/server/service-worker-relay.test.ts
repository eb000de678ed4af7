// Both sides of the bridge over real ports: requests, answers, and every way in which one of the two ends goes missing.
import { afterEach, expect, test, vi } from "vitest";
import { nextTask } from "../../src/base/event-loop.ts";
import type { RequestHandler } from "../../src/server/fetch-handler.ts";
import { newServingLock } from "../../src/server/service-worker-messages.ts";
import { isApiRequest, relay } from "../../src/server/service-worker-relay.ts";
import { FakeOrigin, SCOPE } from "./fake-origin.ts";

const COMPLETIONS = `${SCOPE}v1/chat/completions`;
const EVENT_STREAM = { headers: { "content-type": "text/event-stream; charset=utf-8" } };

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTask();
}
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTask();
}
const post = (body: BodyInit = "{}", init: RequestInit = {}) =>
  new Request(COMPLETIONS, { method: "POST", body, ...init });
const errorOf = async (response: Response) => ((await response.json()) as { error: unknown }).error;
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

/** A body that says `data: 0`, `data: 1` … as it is pulled, with a record of what was asked of it. */
function counting(end = Number.POSITIVE_INFINITY) {
  const log = { made: 0, cancelled: 0 };
  const body = () =>
    new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (log.made === end) controller.close();
          else controller.enqueue(new TextEncoder().encode(`data: ${log.made++}\n\n`));
        },
        cancel() {
          log.cancelled++;
        },
      },
      { highWaterMark: 0 },
    );
  return { log, body };
}

/** A page that answers with `counting`, its one answer being read by the returned reader. */
async function openStream(origin: FakeOrigin, init: ResponseInit = EVENT_STREAM, request = post()) {
  const { log, body } = counting();
  let signal: AbortSignal | undefined;
  const page = await origin.addServing("page", async (request) => {
    signal = request.signal;
    return new Response(body(), init);
  });
  const { response, ended } = relay(request, "caller", origin.search());
  const reader = (await response).body!.getReader();
  return { log, page, reader, ended, signal: signal! };
}

test("only what lies below v1/ of the scope is answered", () => {
  const answered = (url: string, scope = SCOPE) => isApiRequest(url, scope);
  expect(
    [COMPLETIONS, `${SCOPE}v1/models?x`, `${SCOPE}v1/`, `${SCOPE}v1`, `${SCOPE}v11/models`, `${SCOPE}x/v1/models`].map(
      (url) => answered(url),
    ),
  ).toEqual([true, true, true, false, false, false]);
  expect(answered("https://other.example/app/v1/models")).toBe(false);
  expect(answered("https://site.example/v1/models")).toBe(false);
  expect(answered("https://site.example/v1/models", "https://site.example/")).toBe(true);
});

test("a request arrives as it was sent, and so does its answer", async () => {
  const origin = new FakeOrigin();
  const seen: unknown[] = [];
  await origin.addServing("page", async (request) => {
    const { method, url, headers } = request;
    seen.push(method, url, headers.get("authorization"), headers.get("content-type"), await request.text());
    return new Response("made", { status: 201, statusText: "Made", headers: { "x-request-id": "req_1" } });
  });
  const headers = { authorization: "Bearer local", "content-type": "application/json" };
  const { response, ended } = relay(post('{"a":"é"}', { headers }), "caller", origin.search());
  const { status, statusText, headers: answered, body } = await response;
  expect(seen).toEqual(["POST", COMPLETIONS, "Bearer local", "application/json", '{"a":"é"}']);
  expect([status, statusText, answered.get("x-request-id")]).toEqual([201, "Made", "req_1"]);
  expect(await new Response(body).text()).toBe("made");
  await ended;
});

test.each(["GET", "HEAD", "DELETE"])(
  "%s goes without a body, and an answer without one ends at its head",
  async (method) => {
    const origin = new FakeOrigin();
    await origin.addServing("page", async (request) => {
      const sent = await request.text();
      return new Response(null, { status: 204, headers: { method: request.method, sent } });
    });
    const { response, ended } = relay(new Request(`${SCOPE}v1/models`, { method }), "caller", origin.search());
    const { status, headers, body } = await response;
    expect([status, headers.get("method"), headers.get("sent"), body]).toEqual([204, method, "", null]);
    await ended;
  },
);

test("a stream arrives in order, its last chunk before its end, and then nobody holds anything", async () => {
  const origin = new FakeOrigin();
  const { body } = counting(300);
  const page = await origin.addServing("page", async () => new Response(body(), EVENT_STREAM));
  const { response, ended } = relay(post(), "caller", origin.search());
  const expected = Array.from({ length: 300 }, (_, i) => `data: ${i}\n\n`).join("");
  expect(await (await response).text()).toBe(expected);
  await ended;
  page.stop();
  await until(() => origin.heldLocks.length === 0);
});

test("nothing is made that was not asked for, so a slow reader parks its own answer only", async () => {
  const origin = new FakeOrigin();
  const { log, reader } = await openStream(origin);
  await turns(20);
  expect(log.made).toBe(0);
  for (let i = 0; i < 3; i++) expect(text((await reader.read()).value)).toBe(`data: ${i}\n\n`);
  await turns(20);
  expect(log.made).toBe(3);
  const { response } = relay(new Request(`${SCOPE}v1/models`), "caller", origin.search());
  expect((await response).status).toBe(200);
  await reader.cancel();
});

test("bytes that are a part of more arrive alone, and the page keeps its memory", async () => {
  const origin = new FakeOrigin();
  const memory = new TextEncoder().encode("0123456789");
  const chunks = [memory.subarray(2, 5), memory];
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  await origin.addServing("page", async () => new Response(body));
  const answer = await relay(post(), "caller", origin.search()).response;
  const first = (await answer.body!.getReader().read()).value;
  expect([text(first), first?.buffer.byteLength, memory.byteLength]).toEqual(["234", 3, 10]);
});

test("a reader who cancels ends the page's work", async () => {
  const { log, reader, signal, ended } = await openStream(new FakeOrigin());
  await reader.read();
  await reader.cancel();
  await ended;
  await until(() => signal.aborted && log.cancelled === 1);
});

test("an abort ends the page's work in the middle of a stream, and the reader is told", async () => {
  const controller = new AbortController();
  const { log, reader, signal } = await openStream(
    new FakeOrigin(),
    EVENT_STREAM,
    post("{}", { signal: controller.signal }),
  );
  await reader.read();
  controller.abort();
  await until(() => signal.aborted && log.cancelled === 1);
  await expect(reader.read()).rejects.toMatchObject({ code: "aborted" });
});

test("an abort before the answer has begun rejects with its reason, and ends the page's work", async () => {
  const origin = new FakeOrigin();
  const signals: AbortSignal[] = [];
  await origin.addServing("page", (request) => {
    signals.push(request.signal);
    return new Promise(() => {});
  });
  const controller = new AbortController();
  const { response, ended } = relay(post("{}", { signal: controller.signal }), "caller", origin.search());
  await until(() => signals.length === 1);
  controller.abort(new Error("enough"));
  await expect(response).rejects.toThrow("enough");
  await ended;
  await until(() => signals[0]!.aborted);
  const late = relay(post("{}", { signal: controller.signal }), "caller", origin.search());
  await expect(late.response).rejects.toThrow("enough");
  await late.ended;
  await turns(20);
  expect(signals.length).toBe(1);
});

test("a caller whose page is closed before the answer has begun ends the page's work, though no signal fires", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const origin = new FakeOrigin();
  const signals: AbortSignal[] = [];
  await origin.addServing("page", (request) => {
    signals.push(request.signal);
    return new Promise(() => {});
  });
  origin.addWindow("caller");
  const { ended } = relay(post(), "caller", origin.search());
  await until(() => signals.length === 1);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(signals[0]!.aborted).toBe(false);
  origin.clients.delete("caller");
  await vi.advanceTimersByTimeAsync(1_000);
  await ended;
  await until(() => signals[0]!.aborted);
});

test.each([
  ["crashes", "crash"],
  ["stops serving", "stop"],
] as const)("a page that %s ends its stream with one error event", async (_, how) => {
  const { page, reader, ended } = await openStream(new FakeOrigin());
  await reader.read();
  page[how]();
  const { value } = await reader.read();
  expect(JSON.parse(text(value).replace("data: ", ""))).toEqual({
    error: {
      message: expect.stringContaining("serves no longer"),
      type: "server_error",
      param: null,
      code: "disposed",
    },
  });
  expect(await reader.read()).toEqual({ done: true, value: undefined });
  await ended;
});

test("a page that crashes while its chunk is awaited ends the stream too, and a body that is no stream of events fails", async () => {
  for (const [contentType, end] of [
    ["text/event-stream", "disposed"],
    ["application/json", "rejected"],
  ] as const) {
    const origin = new FakeOrigin();
    const body = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) });
    const headers = { "content-type": contentType };
    const page = await origin.addServing("page", async () => new Response(body, { headers }));
    const answer = await relay(post(), "caller", origin.search()).response;
    const read = answer.text();
    await turns(20);
    page.crash();
    expect(await read.catch(() => "rejected")).toContain(end);
  }
});

test("a page that crashes before its answer has begun is an error response, not to be retried", async () => {
  const origin = new FakeOrigin();
  let asked = false;
  const page = await origin.addServing("page", () => {
    asked = true;
    return new Promise(() => {});
  });
  const { response, ended } = relay(post(), "caller", origin.search());
  await until(() => asked);
  page.crash();
  const answer = await response;
  expect([answer.status, answer.headers.get("x-should-retry")]).toEqual([503, "false"]);
  expect(await errorOf(answer)).toMatchObject({ type: "server_error", param: null, code: "disposed" });
  await ended;
});

test("a handler that throws, before its head or in its body, is an internal error, and its page goes on", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const origin = new FakeOrigin();
  let calls = 0;
  await origin.addServing("page", async () => {
    if (calls++ === 0) throw new TypeError("secret");
    const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new TypeError("secret")) });
    return new Response(body, EVENT_STREAM);
  });
  const first = await relay(post(), "caller", origin.search()).response;
  expect([first.status, await errorOf(first)]).toEqual([
    500,
    { message: expect.not.stringContaining("secret"), type: "server_error", param: null, code: "internal_error" },
  ]);
  const second = await relay(post(), "caller", origin.search()).response;
  expect([second.status, await second.text()]).toEqual([200, expect.stringContaining("internal_error")]);
  expect(logged).toHaveBeenCalledTimes(4); // each in the page and in the service worker
});

test("a service worker that is ended by the browser ends the page's work", async () => {
  const origin = new FakeOrigin();
  const { log, body } = counting();
  await origin.addServing("page", async () => new Response(body(), EVENT_STREAM));
  const serviceWorker = {};
  const search = { ...origin.search(), locks: origin.locksOf(serviceWorker) };
  const answer = await relay(post(), "caller", search).response;
  await answer.body!.getReader().read();
  origin.end(serviceWorker);
  await until(() => log.cancelled === 1);
});

test("a page that answers sends the service worker a note now and then, and none when it has ended", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const origin = new FakeOrigin();
  const { reader, log } = await openStream(origin);
  await reader.read();
  vi.advanceTimersByTime(60_000);
  expect(origin.notes).toEqual(Array(3).fill({ protocol: "ingle-1", type: "stay" }));
  await reader.cancel();
  await until(() => log.cancelled === 1);
  vi.advanceTimersByTime(60_000);
  expect(origin.notes.length).toBe(3);
});

test("without a page that serves there is 503 at once, with what to do", async () => {
  const origin = new FakeOrigin();
  origin.addWindow("silent");
  const answer = await relay(post(), "caller", origin.search()).response;
  expect([answer.status, answer.headers.get("x-should-retry"), answer.headers.get("content-type")]).toEqual([
    503,
    "false",
    "application/json",
  ]);
  expect(await errorOf(answer)).toEqual({
    message: expect.stringContaining("Open one that does"),
    type: "server_error",
    param: null,
    code: "model_not_loaded",
  });
});

const named = (name: string): RequestHandler => {
  return async () => new Response(name);
};

test("pages without an engine may be silent: the one that has it answers, and when it stops, another", async () => {
  const origin = new FakeOrigin();
  origin.addWindow("silent");
  const first = await origin.addServing("first", named("first"));
  const ask = async () => (await relay(post(), "caller", origin.search()).response).text();
  expect(await ask()).toBe("first");
  await origin.addServing("second", named("second"));
  first.stop();
  expect(await ask()).toBe("second");
});

test("a page that is busy is waited for, as long as it lives, and not for ever", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const origin = new FakeOrigin();
  const answers: (() => void)[] = [];
  const busy = {};
  const locks = origin.locksOf(busy);
  const lock = newServingLock(SCOPE);
  void locks.request(lock, () => new Promise(() => {}));
  origin.addWindow("busy", (_, port) => answers.push(() => port.postMessage({ type: "offer", lock })));
  const open = () => relay(post(), "caller", origin.search()).response;

  const dies = open();
  await vi.advanceTimersByTimeAsync(10_000);
  origin.end(busy);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await errorOf(await dies)).toMatchObject({ message: expect.stringContaining("No open page") });

  void locks.request(lock, () => new Promise(() => {}));
  const hangs = open();
  await vi.advanceTimersByTimeAsync(40_000);
  const answer = await hangs;
  expect([answer.status, await errorOf(answer)]).toEqual([
    503,
    expect.objectContaining({ message: expect.stringContaining("30 s") }),
  ]);

  const relieved = open();
  await vi.advanceTimersByTimeAsync(10_000);
  await origin.addServing("loaded since", named("loaded since"));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await (await relieved).text()).toBe("loaded since");
  expect(answers.length).toBe(3);
});

test("what is no message of the protocol is no offer, and from a page that answers it is an error", async () => {
  const origin = new FakeOrigin();
  const hostile = [
    null,
    1,
    "offer",
    [],
    {},
    { type: "offer" },
    { type: "offer", lock: 1 },
    { type: "offer", lock: "mine" },
  ];
  origin.addWindow("hostile", (_, port) => {
    for (const message of hostile) port.postMessage(message);
  });
  await origin.addServing("page", named("page"));
  expect(await (await relay(post(), "caller", origin.search()).response).text()).toBe("page");

  const heads = [null, "head", { type: "head", status: 99 }, { type: "chunk", bytes: "text" }, { type: "done" }];
  for (const head of heads) {
    const other = new FakeOrigin();
    const lock = newServingLock(SCOPE);
    void other.locksOf({}).request(lock, () => new Promise(() => {}));
    other.addWindow("of another version", (_, port) => {
      port.onmessage = () => port.postMessage(head);
      port.postMessage({ type: "offer", lock });
    });
    const answer = await relay(post(), "caller", other.search()).response;
    expect([answer.status, await errorOf(answer)]).toEqual([
      503,
      expect.objectContaining({ message: expect.stringContaining("another version"), code: "model_not_loaded" }),
    ]);
  }
});

test("a page takes nothing but the protocol, and only from the service worker of its scope", async () => {
  const origin = new FakeOrigin();
  let calls = 0;
  await origin.addServing("page", async () => {
    calls++;
    return new Response("x");
  });
  const client = origin.clients.get("page")!;
  const ask = { protocol: "ingle-1", type: "ask", scope: SCOPE };
  /** Whether the page offers after `first`; sends `second` if it does. */
  const offered = async (first: unknown, second?: unknown) => {
    const { port1, port2 } = new MessageChannel();
    let offer = false;
    port1.onmessage = ({ data }) => {
      offer ||= data.type === "offer";
      port1.postMessage(second);
    };
    client.postMessage(first, [port2]);
    await turns(20);
    port1.close();
    return offer;
  };
  const others = [null, "ask", {}, { ...ask, protocol: "ingle-2" }, { ...ask, type: "tell" }, { ...ask, scope: "/" }];
  for (const message of others) expect(await offered(message)).toBe(false);
  const request = { type: "request", lock: "l", method: "GET", url: SCOPE, headers: [], body: null };
  const requests = [
    null,
    "request",
    { type: "request" },
    { ...request, lock: 1 },
    { ...request, headers: { a: "b" } },
    { ...request, headers: [["a"]] },
    { ...request, headers: [["a", 1]] },
    { ...request, body: "text" },
    { ...request, url: null },
  ];
  for (const message of requests) expect(await offered(ask, message)).toBe(true);
  expect(calls).toBe(0);
  expect(await offered(ask, request)).toBe(true);
  expect(calls).toBe(1);
});
