// serveFromPage(): lets every script of the origin reach this page's engine with a plain `fetch`, through a service worker.
import { EngineError } from "../base/errors.ts";
import type { RequestHandler } from "./fetch-handler.ts";
import { baseURLOf, note } from "./service-worker-messages.ts";
import { offerAnswers } from "./service-worker-offers.ts";

export interface ServeFromPageOptions {
  /** Where `ingle-service-worker.js` of this package is served, at this page's own origin. */
  readonly scriptURL: string | URL;
  /** Requests below `v1/` of this path are answered; the folder of the script by default, and the widest that it may have. */
  readonly scope?: string | URL;
}

export interface ServingPage {
  /** What a client takes for its base URL: `v1` below the scope. */
  readonly baseURL: string;
  /** Serves no more. Running answers end with an error; the service worker stays registered. */
  dispose(): void;
}

/** So long a browser may take to put this page under the service worker's control. Where another one has it, it never does. */
const CONTROL_MS = 2_000;

/**
 * Resolves when the service worker is active and can reach this page: from then on, `fetch` of `v1/…` below the scope is
 * answered by `handler` for every page and worker in the scope, whichever of the pages that serve is first to answer.
 * Some browsers give up a `fetch` whose response has not begun after five minutes: stream answers that take so long.
 * @throws EngineError `invalid_request` where there are no service workers, or the script cannot be one
 */
export async function serveFromPage(
  handler: RequestHandler,
  { scriptURL, scope }: ServeFromPageOptions,
): Promise<ServingPage> {
  const container = globalThis.navigator?.serviceWorker;
  const locks = globalThis.navigator?.locks;
  if (!container || !locks)
    throw new EngineError(
      "invalid_request",
      "There are no service workers here: they need a page that came over HTTPS or from localhost, in a window that is not private.",
    );
  const registration = await register(container, scriptURL, scope);
  const stop = await offerAnswers(handler, { container, locks, scope: registration.scope });
  await untilControlled(container, registration);
  return { baseURL: baseURLOf(registration.scope), dispose: stop };
}

/** Settles when the service worker is active. A script that is registered already needs no network for it. */
async function register(
  container: ServiceWorkerContainer,
  scriptURL: string | URL,
  scope: string | URL | undefined,
): Promise<ServiceWorkerRegistration> {
  try {
    const options = scope === undefined ? {} : { scope: String(scope) };
    const registration = await container.register(scriptURL, options);
    const worker = registration.active ?? registration.waiting ?? registration.installing;
    if (worker) await untilActivated(worker);
    return registration;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EngineError(
      "invalid_request",
      `The service worker ${scriptURL} could not be registered: ${reason} It has to be ingle-service-worker.js, served by ` +
        "this page's origin as JavaScript, from the folder of its scope or one above.",
      { cause },
    );
  }
}

function untilActivated(worker: ServiceWorker): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("It was replaced or could not be installed."));
    };
    worker.addEventListener("statechange", look);
    look();
  });
}

/** A page in scope can then use the service worker itself. One loaded by a forced reload is under no control until it asks. */
async function untilControlled(
  container: ServiceWorkerContainer,
  { active, scope }: ServiceWorkerRegistration,
): Promise<void> {
  if (container.controller || !location.href.startsWith(scope)) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, CONTROL_MS);
    const controlled = () => {
      clearTimeout(timer);
      resolve();
    };
    container.addEventListener("controllerchange", controlled, { once: true });
    active?.postMessage(note("claim"));
  });
}
