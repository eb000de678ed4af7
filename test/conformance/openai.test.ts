// The conformance suite in one process: an engine called directly, and by the `openai` package through its `fetch`; once the
// engine itself, once as a page has it, behind its worker.
import { OpenAI } from "openai";
import { vi } from "vitest";
import { createEngine } from "../../src/client.ts";
import { type AnsweringEngine, createFetchHandler } from "../../src/server/fetch-handler.ts";
import { fakeLocks, fakeWorker } from "../client/fake-worker.ts";
import { MODEL, openScripted, scriptedHost } from "../engine/scripted-runtime.ts";
import { CHECKS_OF_SCRIPTS, CHECKS_OF_WAYS } from "./openai/checks.ts";
import { scriptedModel, untilIdle } from "./openai/scripted-engine.ts";
import { testWay } from "./openai/test-way.ts";
import { clientWay, directWay } from "./openai/way.ts";

/** An engine and all that its ways watch. `ends` are of the engine's requests, whoever made them. */
async function openCore() {
  const { script, ...model } = scriptedModel();
  const ends: string[] = [];
  const { engine, runtime } = await openScripted(script, { onStats: ({ finish }) => ends.push(finish) });
  return { engine, runtime, ends, model };
}

async function openPageEngine() {
  const { script, ...model } = scriptedModel();
  const host = scriptedHost(script);
  const locks = fakeLocks();
  vi.stubGlobal("navigator", { locks });
  const ends: string[] = [];
  const engine = await createEngine({
    id: "tiny",
    model: new File([MODEL], "tiny.gguf"),
    worker: () => fakeWorker(host.open, locks).worker,
    onStats: ({ finish }) => ends.push(finish),
  });
  vi.unstubAllGlobals();
  return { engine, runtime: host.runtimes[0]!, ends, model };
}

type Opened = Awaited<ReturnType<typeof openCore | typeof openPageEngine>>;

function direct(open: () => Promise<Opened>) {
  return async () => {
    const { engine, runtime, ends } = await open();
    return {
      way: directWay(engine, { model: "tiny", ends }),
      idle: () => untilIdle(runtime),
      close: () => engine.dispose(),
    };
  };
}

function throughFetch(open: () => Promise<Opened>) {
  return async () => {
    const { engine, runtime, model } = await open();
    const ends: string[] = [];
    const way = fetchWay(engine, ends);
    return { way: { ...way, ...model }, idle: () => untilIdle(runtime), close: () => engine.dispose() };
  };
}

function fetchWay(engine: AnsweringEngine, ends: string[]) {
  const fetch = createFetchHandler(engine, { onRequest: ({ errorCode }) => ends.push(errorCode ?? "ok") });
  return clientWay(OpenAI, { baseURL: "http://ingle/v1", fetch }, { model: "tiny", ends });
}

testWay("an engine, called directly", direct(openCore), CHECKS_OF_WAYS);
testWay("an engine's fetch", throughFetch(openCore), CHECKS_OF_SCRIPTS);
testWay("a page's engine, called directly", direct(openPageEngine), CHECKS_OF_WAYS);
testWay("a page's engine.fetch", throughFetch(openPageEngine), CHECKS_OF_SCRIPTS);
