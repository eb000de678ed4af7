// A socket, the gate behind it, and an engine behind that: what `npm run serve` starts, whatever runs the models.
import type { RequestStats } from "../../src/engine/stats.ts";
import type { RequestHandler } from "../../src/server/fetch-handler.ts";
import { type AnsweringEngine, createFetchHandler } from "../../src/server/fetch-handler.ts";
import { createAccessLog } from "./access-line.ts";
import { createGate, type Policy } from "./gate.ts";
import { startHttpServer } from "./http-server.ts";

export interface ServedEngine extends AnsweringEngine {
  dispose(): Promise<void>;
}

export interface ApiServerOptions extends Policy {
  /** 0 for any free one. */
  readonly port: number;
  /** Gets one line for each request when it is over. */
  readonly writeLine: (line: string) => void;
}

export interface ApiServer {
  /** Base URL for clients, as in `http://127.0.0.1:8080/v1`. */
  readonly url: string;
  /** The engine's `onStats`: an access line has its figures. */
  readonly onStats: (figures: RequestStats) => void;
  /** Answers from this engine; until then every request is told that models are loading. */
  serve(engine: ServedEngine): void;
  /** Ends running answers with an error frame, disposes of the engine, and closes every connection. */
  stop(): Promise<void>;
}

/** @throws CommandError when the port is taken or the address is not this machine's */
export async function startApiServer({ port, writeLine, ...policy }: ApiServerOptions): Promise<ApiServer> {
  const log = createAccessLog(writeLine);
  let served: { readonly engine: ServedEngine; readonly handler: RequestHandler } | undefined;
  const gate = createGate({ policy, handler: () => served?.handler, onRequest: log.request });
  const server = await startHttpServer({ handler: gate, host: policy.host, port });
  return {
    url: `${server.url}/v1`,
    onStats: log.stats,
    serve(engine) {
      served = { engine, handler: createFetchHandler(engine, { onRequest: log.request }) };
    },
    stop: () => server.stop(async () => served?.engine.dispose()),
  };
}
