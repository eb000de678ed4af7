// The conformance suite in a page: the engine behind its real worker, called directly, through `engine.fetch`, and through the
// service worker by the page's own `fetch`.
import { OpenAI } from "openai";
import { createEngine, type Engine, serveFromPage } from "../../../src/index.ts";
import { createFetchHandler } from "../../../src/server/fetch-handler.ts";
import { CHECKS_OF_CLIENTS, CHECKS_OF_WAYS } from "../../conformance/openai/checks.ts";
import { type Check, runCheck, type Seen } from "../../conformance/openai/trial.ts";
import { type ClientWay, clientWay, directWay } from "../../conformance/openai/way.ts";

export interface Suite {
  /** By way, what is claimed of it. */
  readonly claims: Readonly<Record<string, readonly string[]>>;
  /** @returns what the check saw, as JSON. @throws what it finds wrong */
  run(way: string, claim: string): Promise<readonly Seen[]>;
  /** What a model says to `content` through the client that the README shows. */
  say(content: string): Promise<string | null | undefined>;
  /** How the engine's requests have ended, in their order. */
  readonly finishes: readonly string[];
  /** The engine's `fetch`. */
  readonly fetch: Engine["fetch"];
}

/** @param url of a model that never stops talking */
export async function openSuite(url: string): Promise<Suite> {
  const finishes: string[] = [];
  const model = "tiny";
  const engine = await createEngine({ id: model, model: url, onStats: ({ finish }) => finishes.push(finish) });

  /** The engine's `fetch`, and how the requests to it ended. */
  function watched() {
    const ends: string[] = [];
    const handler = createFetchHandler(engine, { onRequest: ({ errorCode }) => ends.push(errorCode ?? "ok") });
    return { ends, handler };
  }
  const [inPage, behind] = [watched(), watched()];
  const { baseURL } = await serveFromPage(behind.handler, { scriptURL: "/ingle-service-worker.js" });
  const own = { dangerouslyAllowBrowser: true };
  const ways: Record<string, { way: ClientWay; checks: readonly Check<ClientWay>[] }> = {
    create: { way: directWay(engine, { model, ends: finishes }) as ClientWay, checks: CHECKS_OF_WAYS },
    "engine.fetch": {
      way: clientWay(
        OpenAI,
        { ...own, baseURL: "http://ingle/v1", fetch: inPage.handler },
        { model, ends: inPage.ends },
      ),
      checks: CHECKS_OF_CLIENTS,
    },
    "the service worker": {
      // Chromium tells a service worker of a caller who leaves only once the response has begun: until then the work goes on.
      way: { ...clientWay(OpenAI, { ...own, baseURL }, { model, ends: behind.ends }), givenUp: ["aborted", "ok"] },
      checks: CHECKS_OF_CLIENTS,
    },
  };

  return {
    finishes,
    fetch: engine.fetch,
    claims: Object.fromEntries(
      Object.entries(ways).map(([name, { checks }]) => [name, checks.map(({ claim }) => claim)]),
    ),
    async run(name, claim) {
      const { way, checks } = ways[name]!;
      return runCheck(checks.find((check) => check.claim === claim)!, way);
    },
    async say(content) {
      const { fetch } = engine;
      const client = new OpenAI({ apiKey: "local", baseURL: "http://ingle/v1", fetch, dangerouslyAllowBrowser: true });
      const request = { model, messages: [{ role: "user" as const, content }], max_tokens: 4 };
      return (await client.chat.completions.create(request)).choices[0]?.message.content;
    },
  };
}
