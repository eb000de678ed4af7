// The page's engine for all of its origin: a service worker answers `v1/…` beside the page, for scripts, frames and consoles.
import { type Engine, isEngineError, type ServingPage, serveFromPage } from "../src/index.ts";

/** Undefined where there are no service workers: the page itself works without. */
export async function offerToOrigin(engine: Engine): Promise<ServingPage | undefined> {
  try {
    return await serveFromPage(engine.fetch, { scriptURL: new URL("./ingle-service-worker.js", location.href) });
  } catch (error) {
    if (isEngineError(error)) return undefined;
    throw error;
  }
}
