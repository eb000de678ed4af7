// A loss, an unload or the engine's own end in the moment in which something else is half done.
import { describe, expect, test } from "vitest";
import type { OpenModel } from "../../src/engine/model-opener.ts";
import { BASE, gate, OPEN, openWith, turns } from "./changed-runtime.ts";

describe("the device is lost", () => {
  test("while a model's identity is computed: the next request finds the model loaded anew", async () => {
    const { engine, runtimes, hosts } = await openWith(() => ({}), { reply: "fine" });
    const openModel: OpenModel = async (onProgress, signal) => ({
      ...(await OPEN(onProgress, signal)),
      async identity() {
        if (runtimes.length === 1) runtimes[0]!.lose();
        await turns(3);
        return "identity";
      },
    });
    await engine.load({ id: "tiny", openModel });
    await turns(1);
    expect((await engine.chat.completions.create(BASE)).choices[0]?.message.content).toBe("fine");
    expect(runtimes.map(({ disposed }) => disposed)).toEqual([true, false]);
    expect(hosts.map(({ disposed }) => disposed)).toEqual([true, false]);
  });

  test("and is told of again by a model of before: those on the new device stay", async () => {
    const { engine, runtimes, hosts } = await openWith(() => ({}), { reply: "fine" });
    await engine.load({ id: "tiny", openModel: OPEN });
    await engine.load({ id: "two", openModel: OPEN });
    runtimes[0]!.lose();
    await turns(2);
    await engine.chat.completions.create(BASE);
    runtimes[1]!.lose(); // the same old device
    await turns(2);
    await engine.chat.completions.create(BASE);
    expect(hosts.map(({ disposed }) => disposed)).toEqual([true, false]);
  });
});

describe("the engine is disposed of", () => {
  test("in the last moment of a loading: the loading fails, and nothing stays", async () => {
    const { engine, runtimes, hosts } = await openWith(() => ({}));
    let disposing: Promise<void> | undefined;
    const openModel: OpenModel = async (onProgress, signal) => ({
      ...(await OPEN(onProgress, signal)),
      async identity() {
        disposing = engine.dispose();
        return "identity";
      },
    });
    await expect(engine.load({ id: "tiny", openModel })).rejects.toMatchObject({ code: "disposed" });
    await disposing;
    expect(runtimes.map(({ disposed }) => disposed)).toEqual([true]);
    expect(hosts).toEqual([{ disposed: true }]);
  });

  test("during an unload: the host outlives the model", async () => {
    const held = gate();
    const { engine, runtimes, hosts } = await openWith((runtime) => ({
      async fork(sequence) {
        await held.opened;
        return runtime.fork(sequence);
      },
      dispose() {
        expect(hosts[0]!.disposed).toBe(false);
        runtime.dispose();
      },
    }));
    await engine.load({ id: "tiny", openModel: OPEN });
    const call = engine.chat.completions.create({ ...BASE, n: 2 });
    const refused = expect(call).rejects.toMatchObject({ code: "model_not_loaded" });
    await turns(5);
    const unloading = engine.unload("tiny");
    const disposing = engine.dispose();
    held.open();
    await Promise.all([unloading, disposing, refused]);
    expect(runtimes[0]!.disposed).toBe(true);
    expect(hosts).toEqual([{ disposed: true }]);
  });
});

test("a model that is unloaded while a request waits for it to load anew ends that request, and leaves nothing", async () => {
  const { engine, runtimes } = await openWith(() => ({}));
  const held = gate();
  let opened = 0;
  const openModel: OpenModel = async (onProgress, signal) => {
    if (opened++ === 1) await held.opened;
    return OPEN(onProgress, signal);
  };
  await engine.load({ id: "tiny", openModel });
  runtimes[0]!.lose();
  await turns(2);
  const call = engine.chat.completions.create(BASE);
  const refused = expect(call).rejects.toMatchObject({ code: "model_not_loaded" });
  await turns(2);
  const unloading = engine.unload("tiny");
  held.open();
  await Promise.all([unloading, refused]);
  expect(runtimes.every(({ disposed }) => disposed)).toBe(true);
  expect((await engine.models.list()).data).toEqual([]);
});
