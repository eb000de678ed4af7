// Registering: what the page waits for, and what it says when there is nothing to wait for.
import { afterEach, expect, test, vi } from "vitest";
import { nextTask } from "../../src/base/event-loop.ts";
import { serveFromPage } from "../../src/server/service-worker-page.ts";
import { relay } from "../../src/server/service-worker-relay.ts";
import { FakeOrigin, SCOPE } from "./fake-origin.ts";

afterEach(() => vi.unstubAllGlobals());

const handler = async () => new Response("answered");
const SCRIPT = { scriptURL: "/app/ingle-service-worker.js" };

/** A page at `href` whose browser registers a service worker in the given state. */
function stubPage({ href = `${SCOPE}index.html`, state = "activated" } = {}) {
  const origin = new FakeOrigin();
  const registered: unknown[] = [];
  const posted: unknown[] = [];
  const worker = Object.assign(new EventTarget(), {
    state,
    postMessage(message: unknown) {
      posted.push(message);
      container.setController();
    },
  });
  const container = Object.assign(new EventTarget(), {
    controller: null as unknown,
    startMessages() {},
    async register(scriptURL: string, options: unknown) {
      registered.push(scriptURL, options);
      return { active: state === "activated" ? worker : null, installing: worker, waiting: null, scope: SCOPE };
    },
    setController() {
      container.controller = worker;
      container.dispatchEvent(new Event("controllerchange"));
    },
  });
  origin.addWindow("page", (data, port) => {
    container.dispatchEvent(Object.assign(new Event("message"), { data, ports: [port], source: null }));
  });
  vi.stubGlobal("navigator", { serviceWorker: container, locks: origin.locksOf({}) });
  vi.stubGlobal("location", new URL(href));
  const become = (next: string) => {
    worker.state = next;
    worker.dispatchEvent(new Event("statechange"));
  };
  return { origin, registered, posted, container, become };
}

const get = (origin: FakeOrigin) => relay(new Request(`${SCOPE}v1/models`), "", origin.search()).response;

test("a page serves from when this resolves until it disposes, and asks for control where it has none", async () => {
  const { origin, registered, posted } = stubPage();
  const serving = await serveFromPage(handler, { ...SCRIPT, scope: SCOPE });
  expect(registered).toEqual([SCRIPT.scriptURL, { scope: SCOPE }]);
  expect(posted).toEqual([{ protocol: "ingle-1", type: "claim" }]);
  expect(serving.baseURL).toBe(`${SCOPE}v1`);
  expect(await (await get(origin)).text()).toBe("answered");
  serving.dispose();
  await nextTask();
  expect((await get(origin)).status).toBe(503);
});

test("a page outside the scope, and one under control, ask for nothing", async () => {
  const outside = stubPage({ href: "https://site.example/elsewhere" });
  const serving = await serveFromPage(handler, SCRIPT);
  expect([outside.registered[1], outside.posted]).toEqual([{}, []]);
  expect(await (await get(outside.origin)).text()).toBe("answered");
  serving.dispose();

  const controlled = stubPage();
  controlled.container.setController();
  (await serveFromPage(handler, SCRIPT)).dispose();
  expect(controlled.posted).toEqual([]);
});

test("a service worker that is being installed is waited for, and one that cannot be is refused", async () => {
  const { become, origin } = stubPage({ state: "installing", href: "https://site.example/elsewhere" });
  let resolved = false;
  const serving = serveFromPage(handler, SCRIPT).then(() => {
    resolved = true;
  });
  for (const state of ["installed", "activating"]) {
    await nextTask();
    become(state);
  }
  await nextTask();
  expect([resolved, origin.heldLocks]).toEqual([false, []]);
  become("activated");
  await serving;

  const broken = stubPage({ state: "installing" });
  const refused = expect(serveFromPage(handler, SCRIPT)).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("/app/ingle-service-worker.js could not be registered"),
  });
  await nextTask();
  broken.become("redundant");
  await refused;
});

test("where there are no service workers, or no such script, the error says what is needed", async () => {
  vi.stubGlobal("navigator", {});
  await expect(serveFromPage(handler, SCRIPT)).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("HTTPS"),
  });
  const { container } = stubPage();
  const cause = new TypeError("A bad HTTP response code (404) was received.");
  container.register = () => Promise.reject(cause);
  await expect(serveFromPage(handler, SCRIPT)).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("(404)"),
    cause,
  });
});
