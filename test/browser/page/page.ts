// A page without a user interface until one is asked for: what the tests reach from outside stands on `globalThis.ingle`.
import { createMarkdownView } from "../../../demo/markdown.ts";
import "../../../demo/style.css";
import { createEngine, type EngineError, isEngineError, serveFromPage } from "../../../src/index.ts";
import { indexedDbTuningStore } from "../../../src/storage/tuning-store.ts";
import { openScriptedDemo } from "./scripted-demo.ts";

/** The code of the EngineError that a call ends with, and "none" when it ends well. */
async function codeOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return "none";
  } catch (error) {
    return isEngineError(error) ? (error as EngineError).code : `not an EngineError: ${error}`;
  }
}

/** Loaded where it is wanted: no other test is to wait for it. */
const importOpenAI = () => import("openai");
const importSuite = () => import("./openai-suite.ts");

const page = {
  createEngine,
  createMarkdownView,
  codeOf,
  openScriptedDemo,
  serveFromPage,
  importOpenAI,
  importSuite,
  indexedDbTuningStore,
};
export type TestPage = typeof page;
declare global {
  var ingle: TestPage;
}
globalThis.ingle = page;
