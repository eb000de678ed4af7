// What the windows and the service worker of one origin share: locks that die with their holder, and messages to windows.
// The ports between them are real.
import type { RequestHandler } from "../../src/server/fetch-handler.ts";
import { offerAnswers } from "../../src/server/service-worker-offers.ts";
import type { PageSearch, WindowClient } from "../../src/server/service-worker-search.ts";

export const SCOPE = "https://site.example/app/";

interface Hold {
  readonly owner: object;
  readonly name: string;
  readonly mode: LockMode;
}
interface Wish extends Hold {
  grant(): void;
}

export class FakeOrigin {
  readonly clients = new Map<string, WindowClient>();
  /** Notes that pages have sent to the service worker. */
  readonly notes: unknown[] = [];
  #held: Hold[] = [];
  #wishes: Wish[] = [];

  /** How the service worker sees the origin. */
  search(): PageSearch & { readonly locks: LockManager } {
    const { clients } = this;
    return {
      clients: { matchAll: async () => [...clients.values()], get: async (id) => clients.get(id) },
      locks: this.locksOf({}),
      scope: SCOPE,
    };
  }

  locksOf(owner: object): LockManager {
    const request = async (name: string, ...rest: unknown[]) => {
      const work = rest.at(-1) as () => unknown;
      const { mode = "exclusive", signal } = (rest.length > 1 ? rest[0] : {}) as LockOptions;
      await new Promise<void>((grant, reject) => {
        const wish: Wish = { owner, name, mode, grant };
        this.#wishes.push(wish);
        signal?.addEventListener("abort", () => {
          this.#wishes = this.#wishes.filter((other) => other !== wish);
          reject(signal.reason);
        });
        this.#settle();
      });
      const hold = this.#held.find((held) => held.owner === owner && held.name === name)!;
      await work();
      this.#held = this.#held.filter((other) => other !== hold);
      this.#settle();
    };
    const query = async () => ({ held: this.#held.map(({ name, mode }) => ({ name, mode })), pending: [] });
    return { request, query } as unknown as LockManager;
  }

  /** A window; what `deliver` does with a message and its port is all that it does. */
  addWindow(id: string, deliver: (message: unknown, port: MessagePort) => void = () => {}): void {
    this.clients.set(id, {
      id,
      postMessage: (message, [port]) => deliver(structuredClone(message), port as MessagePort),
    });
  }

  /** A window with an engine: `stop` is what its `dispose` does. */
  async addServing(id: string, handler: RequestHandler): Promise<{ stop(): void; crash(): void }> {
    const container = new EventTarget();
    const source = { postMessage: (message: unknown) => this.notes.push(message) };
    const owner = {};
    this.addWindow(id, (data, port) => {
      container.dispatchEvent(Object.assign(new Event("message"), { data, ports: [port], source }));
    });
    const stop = await offerAnswers(handler, {
      container: Object.assign(container, { startMessages() {} }) as unknown as ServiceWorkerContainer,
      locks: this.locksOf(owner),
      scope: SCOPE,
    });
    return {
      stop,
      crash: () => {
        this.clients.delete(id);
        this.end(owner);
      },
    };
  }

  /** The browser ends a context: its locks go to those who wait for them. */
  end(owner: object): void {
    this.#held = this.#held.filter((hold) => hold.owner !== owner);
    this.#wishes = this.#wishes.filter((wish) => wish.owner !== owner);
    this.#settle();
  }

  get heldLocks(): string[] {
    return this.#held.map(({ name }) => name);
  }

  #settle(): void {
    for (const wish of [...this.#wishes]) {
      const rivals = this.#held.filter(({ name }) => name === wish.name);
      if (rivals.some(({ mode }) => mode === "exclusive") || (rivals.length > 0 && wish.mode === "exclusive")) continue;
      this.#wishes = this.#wishes.filter((other) => other !== wish);
      this.#held.push(wish);
      wish.grant();
    }
  }
}
