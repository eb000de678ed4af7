// The service worker: registration only. It answers `v1/…` below its scope from a page that holds an engine, and leaves every
// other request to the network.
import { readNote } from "../src/server/service-worker-messages.ts";
import { isApiRequest, relay } from "../src/server/service-worker-relay.ts";
import type { WindowClients } from "../src/server/service-worker-search.ts";

/** What is used here of a service worker's global scope; the DOM's types do not have it. */
interface ServiceWorkerScope {
  readonly registration: ServiceWorkerRegistration;
  readonly clients: WindowClients & { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: LastingEvent) => void): void;
  addEventListener(type: "message", listener: (event: LastingEvent & { readonly data: unknown }) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
}
interface LastingEvent {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchEvent extends LastingEvent {
  readonly request: Request;
  readonly clientId: string;
  respondWith(response: Promise<Response>): void;
}

const scope = globalThis as unknown as ServiceWorkerScope;
const { clients, registration } = scope;

// It keeps no files and no state, so there is nothing that old and new pages could disagree about: a new version takes over
// at once, and the page that registered it need not be loaded twice before its own requests come here.
scope.addEventListener("install", (event) => event.waitUntil(scope.skipWaiting()));
scope.addEventListener("activate", (event) => event.waitUntil(clients.claim()));

// A page that answers says so now and then. The event alone is what keeps this service worker from being ended meanwhile.
scope.addEventListener("message", (event) => {
  if (readNote(event.data)?.type === "claim") event.waitUntil(clients.claim());
});

scope.addEventListener("fetch", (event) => {
  if (!isApiRequest(event.request.url, registration.scope)) return;
  const search = { clients, locks: navigator.locks, scope: registration.scope };
  const { response, ended } = relay(event.request, event.clientId, search);
  event.respondWith(response);
  event.waitUntil(ended);
});
