// `npm run serve`: the engine behind OpenAI's HTTP API on this machine, through Dawn in Node. The base URL goes to stdout,
// all else to stderr.

import type { RequestStats } from "../src/engine/stats.ts";
import { fetchModel } from "./fetch-model.ts";
import { interruptSignal } from "./interrupt.ts";
import { type NodeEngine, openNodeEngine } from "./node-engine.ts";
import { type ApiServer, startApiServer } from "./serve/api-server.ts";
import { readServeOptions, type ServeOptions, USAGE } from "./serve/options.ts";

const INTERRUPTED = 130;

export async function main(args: string[]): Promise<void> {
  const options = readServeOptions(args, process.env);
  if (options === "help") return console.log(USAGE);
  const signal = interruptSignal();
  // Before the models are loaded, so that a port that is taken is said at once.
  const server = await startApiServer({ ...options, writeLine: console.error });
  try {
    const engine = await openEngine(options, signal, server.onStats);
    server.serve(engine);
    announce(server, engine.info.id, options);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    console.error("\nstopping; Ctrl-C again stops at once");
  } catch (error) {
    if (!signal.aborted) throw error;
    console.error("\nstopped");
    process.exitCode = INTERRUPTED;
  } finally {
    await server.stop();
  }
}

async function openEngine(
  { models, adapter, tune, memoryBudget, kvCache, precision }: ServeOptions,
  signal: AbortSignal,
  onStats: (figures: RequestStats) => void,
): Promise<NodeEngine> {
  if (!models) await fetchModel({ signal });
  return openNodeEngine({
    ...(memoryBudget !== undefined && { memoryBudget }),
    models,
    kvCache,
    precision,
    adapter,
    tune,
    signal,
    onStats,
    onLoad({ id, name, adapter, features, warnings }) {
      const called = id === name ? id : `${id} (${name})`;
      console.error(`${called} on ${adapter}; GPU features: ${features.join(", ") || "none"}`);
      for (const warning of warnings) console.error(`warning: ${warning}`);
    },
  });
}

function announce({ url }: ApiServer, model: string, { apiKey, origins }: ServeOptions): void {
  if (origins.length > 0) console.error(`Pages of ${origins.join(", ")} may call.`);
  console.error(curlExample(url, model, apiKey !== undefined));
  console.log(`Ingle is at ${url}  (Ctrl-C stops it)`);
}

function curlExample(url: string, model: string, needsKey: boolean): string {
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "What is the capital of France?" }] });
  return [
    `curl ${url}/chat/completions`,
    "-H 'content-type: application/json'",
    ...(needsKey ? ['-H "authorization: Bearer $INGLE_API_KEY"'] : []),
    `-d '${body.replaceAll("'", "'\\''")}'`,
  ].join(" \\\n  ");
}
