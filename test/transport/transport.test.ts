import { type Endpoint, expose, type Remote, wrap } from "comlink";
import { afterEach, expect, test } from "vitest";
import { AsyncQueue } from "../../src/base/async-queue.ts";
import { EngineError, isEngineError } from "../../src/base/errors.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import { type ByteSource, memorySource } from "../../src/storage/byte-source.ts";
import { guardedEndpoint } from "../../src/transport/guard.ts";
import { type ModelFile, ModelFiles } from "../../src/transport/model-files.ts";
import { forgetSignal } from "../../src/transport/signal.ts";
import { PAGE_ARGUMENTS, registerTransferHandlers } from "../../src/transport.ts";

registerTransferHandlers();
const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

/** `service` as the worker exposes it: behind the guard, by name. */
function connect<T extends object>(service: T): { remote: Remote<T>; port: MessagePort } {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const frozen = Object.freeze(Object.assign(Object.create(null), service));
  expose(frozen, guardedEndpoint(port1 as Endpoint, Object.keys(service), PAGE_ARGUMENTS));
  port2.start();
  return { remote: wrap<T>(port2 as Endpoint), port: port2 };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTask();
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTask();
}

test("an EngineError arrives with all its fields, its cause as text", async () => {
  const { remote } = connect({
    fail() {
      throw new EngineError("context_length_exceeded", "too long", {
        details: { contextLength: 8, promptTokens: 9 },
        param: "messages",
        wireCode: "finer",
        cause: new TypeError("inner"),
      });
    },
  });
  const error = await (remote.fail() as Promise<unknown>).catch((thrown: unknown) => thrown);
  expect(isEngineError(error, "context_length_exceeded")).toBe(true);
  expect(error).toMatchObject({
    message: "too long",
    details: { contextLength: 8, promptTokens: 9 },
    param: "messages",
    wireCode: "finer",
    cause: "TypeError: inner",
    status: 400,
  });
});

test("an error that cannot be cloned arrives all the same, and a bug stays a plain error", async () => {
  const { remote } = connect({
    typed() {
      throw new EngineError("device_lost", "gone", { cause: { reason: () => {} } });
    },
    bug() {
      throw new Error("Bug in Ingle: x");
    },
  });
  await expect(remote.typed()).rejects.toMatchObject({ code: "device_lost", cause: "[object Object]" });
  const bug = await (remote.bug() as Promise<unknown>).catch((thrown: unknown) => thrown);
  expect([isEngineError(bug), (bug as Error).message]).toEqual([false, "Bug in Ingle: x"]);
});

test("a signal fires at the other side, also when it had fired before", async () => {
  const { remote } = connect({
    wait: (signal: AbortSignal) =>
      new Promise<string>((resolve) => {
        if (signal.aborted) resolve("at once");
        signal.addEventListener("abort", () => resolve("fired"));
      }),
  });
  const controller = new AbortController();
  const waiting = remote.wait(controller.signal as never);
  await turns(3);
  controller.abort();
  expect(await waiting).toBe("fired");
  expect(await remote.wait(AbortSignal.abort() as never)).toBe("fired");
});

test("a forgotten signal reaches nobody, and does not throw", async () => {
  let fired = false;
  const { remote } = connect({
    watch(signal: AbortSignal) {
      signal.addEventListener("abort", () => {
        fired = true;
      });
    },
  });
  const controller = new AbortController();
  await remote.watch(controller.signal as never);
  forgetSignal(controller.signal);
  controller.abort();
  await turns(10);
  expect(fired).toBe(false);
});

/** 0, 1, 2 … with a record of what was asked of it. */
function counter(end = Number.POSITIVE_INFINITY) {
  const log = { made: 0, closed: 0 };
  async function* count() {
    try {
      while (log.made < end) yield log.made++;
      throw new EngineError("numeric_fault", "counted too far");
    } finally {
      log.closed++;
    }
  }
  return { log, count };
}

type Numbers = () => AsyncIterable<number>;
const iterate = async (remote: Remote<{ count: Numbers }>) =>
  (await remote.count()) as unknown as AsyncIterableIterator<number>;

test("an iterable is pulled: nothing is made that was not asked for", async () => {
  const { log, count } = counter();
  const { remote } = connect({ count: count as Numbers });
  const iterator = await iterate(remote);
  await turns(5);
  expect(log.made).toBe(0);
  expect([await iterator.next(), await iterator.next()].map(({ value }) => value)).toEqual([0, 1]);
  await turns(5);
  expect(log.made).toBe(2);
  await iterator.return?.();
});

test("with a producer that runs ahead, at most the queue's 64 values wait for a slow reader", async () => {
  const queue = new AsyncQueue<number>(64);
  let made = 0;
  void (async () => {
    while (made < 500) await queue.push(made++);
    queue.close();
  })();
  const { remote } = connect({ count: (() => queue) as Numbers });
  const values: number[] = [];
  for await (const value of await iterate(remote)) {
    values.push(value);
    await turns(1);
    expect(made - values.length).toBeLessThanOrEqual(65);
  }
  expect(values).toEqual(Array.from({ length: 500 }, (_, i) => i));
});

test("break runs the finally at the other side before the loop is left", async () => {
  const { log, count } = counter();
  const { remote } = connect({ count: count as Numbers });
  for await (const value of await iterate(remote)) if (value === 3) break;
  expect(log).toEqual({ made: 4, closed: 1 });
});

test("an error in the middle arrives typed, and ends the iteration", async () => {
  const { log, count } = counter(2);
  const { remote } = connect({ count: count as Numbers });
  const iterator = await iterate(remote);
  await iterator.next();
  await iterator.next();
  await expect(iterator.next()).rejects.toMatchObject({ code: "numeric_fault" });
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
  expect(log.closed).toBe(1);
});

type Reader = { read(files: readonly ModelFile[]): Promise<unknown> };
const files = (...inputs: ConstructorParameters<typeof ModelFiles>[0]) => new ModelFiles(inputs) as never;

test("addresses go as text, blobs as themselves, and a page's source is read through a port", async () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
  const { remote } = connect<Reader>({
    async read([url, file, source]) {
      if (url?.kind !== "url" || file?.kind !== "blob" || source?.kind !== "source") throw new Error("other kinds");
      const read = await source.source.read(10, 5);
      return [url.url, file.name, await file.blob.text(), source.source.name, source.source.size, [...read]];
    },
  });
  const inputs = files(
    new URL("https://models.example/a.gguf"),
    new File(["abc"], "b.gguf"),
    memorySource(bytes, "c.gguf"),
  );
  expect(await remote.read(inputs)).toEqual([
    "https://models.example/a.gguf",
    "b.gguf",
    "abc",
    "c.gguf",
    100,
    [10, 11, 12, 13, 14],
  ]);
});

test("reads of a page's source run side by side, fail typed, and can be aborted", async () => {
  const source: ByteSource = {
    name: "slow",
    size: 1000,
    read: (offset, length, signal) =>
      new Promise((resolve, reject) => {
        if (offset === 500) return reject(new EngineError("source_changed", "another file now"));
        if (offset !== 900) return resolve(new Uint8Array(length).fill(offset));
        signal?.addEventListener("abort", () => reject(new EngineError("aborted", "stopped")));
      }),
  };
  const { remote } = connect<Reader>({
    async read([file]) {
      if (file?.kind !== "source") throw new Error("another kind");
      const controller = new AbortController();
      const reads = [1, 2, 500, 900].map((offset) => file.source.read(offset, 1, controller.signal));
      await Promise.allSettled(reads.slice(0, 3));
      controller.abort();
      const ends = await Promise.allSettled(reads);
      return ends.map((end) => (end.status === "fulfilled" ? end.value[0] : (end.reason as EngineError).code));
    },
  });
  expect(await remote.read(files(source))).toEqual([1, 2, "source_changed", "aborted"]);
});

test("a page's source that throws what it likes, or gives too little, is a typed error; a view of its memory stays its own", async () => {
  const memory = new Uint8Array(1000).fill(7);
  const source: ByteSource = {
    name: "page's own",
    size: 1000,
    async read(offset, length) {
      if (offset === 1) throw new TypeError("Failed to fetch");
      if (offset === 2) return new Uint8Array(length - 1);
      if (offset === 3) return undefined as never;
      return memory.subarray(offset, offset + length);
    },
  };
  const { remote } = connect<Reader>({
    async read([file]) {
      if (file?.kind !== "source") throw new Error("another kind");
      const ends = await Promise.allSettled([0, 1, 2, 3].map((offset) => file.source.read(offset, 8)));
      return ends.map((end) => (end.status === "fulfilled" ? end.value.length : (end.reason as EngineError).code));
    },
  });
  expect(await remote.read(files(source))).toEqual([8, "download_failed", "source_changed", "source_changed"]);
  expect(memory.length).toBe(1000);
});

test("what is no model is refused before it is sent", async () => {
  const { remote } = connect<Reader>({ read: async () => "reached" });
  const read = async (input: unknown) => remote.read(files(input as string));
  for (const input of [42, null, {}, "relative/in/node.gguf"])
    await expect(read(input)).rejects.toMatchObject({ code: "invalid_request", param: "model" });
});

test("only listed methods can be called: prototypes, other verbs and unknown handlers are refused", async () => {
  let calls = 0;
  const { port } = connect({
    ping() {
      calls++;
    },
  });
  const answers = new Map<string, { name?: string; value?: { record?: { code?: string } } }>();
  port.addEventListener("message", ({ data }) => answers.set(data.id, data));
  const RAW = { type: "RAW", value: 1 };
  const hostile: Record<string, unknown>[] = [
    { type: "APPLY", path: ["constructor"], argumentList: [] },
    { type: "APPLY", path: ["ping", "constructor"], argumentList: [{ type: "RAW", value: "return 1" }] },
    { type: "APPLY", path: ["__proto__", "toString"], argumentList: [] },
    { type: "APPLY", path: [], argumentList: [] },
    { type: "APPLY", path: "ping", argumentList: [] },
    { type: "APPLY", path: [["ping"]], argumentList: [] },
    { type: "APPLY", path: ["ping"] },
    { type: "APPLY", path: ["ping"], argumentList: Array.from({ length: 9 }, () => RAW) },
    { type: "APPLY", path: ["ping"], argumentList: [{ type: "HANDLER", name: "proxy", value: 1 }] },
    { type: "APPLY", path: ["ping"], argumentList: [{ type: "HANDLER", name: "signal", value: 1 }] },
    { type: "APPLY", path: ["ping"], argumentList: [{ type: "HANDLER", name: "model", value: [{ kind: "url" }] }] },
    { type: "APPLY", path: ["ping"], argumentList: [null] },
    { type: "GET", path: ["ping"] },
    { type: "SET", path: ["__proto__", "polluted"], value: RAW },
    { type: "CONSTRUCT", path: ["ping", "constructor"], argumentList: [] },
    { type: "ENDPOINT" },
    { type: "RELEASE" },
    { type: "NONSENSE" },
  ];
  hostile.forEach((message, index) => {
    port.postMessage({ id: `h${index}`, ...message });
  });
  await until(() => answers.size === hostile.length);
  for (const answer of answers.values())
    expect(answer).toMatchObject({ name: "throw", value: { record: { code: "invalid_request" } } });
  expect(calls).toBe(0);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("10,000 raw messages leave the service as it was", async () => {
  const { remote, port } = connect({ ping: () => "pong" });
  const values = [null, 0, "", "ping", "APPLY", [], ["ping"], {}, [{}], { type: "RAW" }, ["__proto__"], true, -1];
  let state = 7;
  const pick = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return values[(state >>> 16) % values.length];
  };
  for (let i = 0; i < 10_000; i++)
    port.postMessage(
      i % 3 === 0 ? pick() : { id: pick(), type: pick(), path: pick(), argumentList: pick(), value: pick() },
    );
  expect(await remote.ping()).toBe("pong");
});
