// `npm run bench`: load, prefill and decode on every adapter in Node and in Chromium, beside wllama and llama.cpp on the same
// file, interleaved; medians. Prints Markdown, or JSON with --json. `--quick` is one short round, `--only TEXT` picks by name.
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DEFAULT_MODEL } from "../demo/default-model.ts";
import { childContender } from "../test/bench/child-contender.ts";
import { type ChromiumBench, openChromiumBench } from "../test/bench/chromium.ts";
import { type Contender, compare, type RoundPlan, type Skipped } from "../test/bench/contender.ts";
import { serveNodeIngle } from "../test/bench/node-ingle.ts";
import { installRival } from "../test/bench/rivals.ts";
import { costTable, describeMachine, type Machine, skippedLines, speedTable } from "../test/bench/table.ts";
import { openDawn } from "./dawn.ts";
import { DEFAULT_MODEL_PATH, PROJECT_ROOT } from "./default-model.ts";
import { fetchModel } from "./fetch-model.ts";

const FULL: RoundPlan = { prefill: [128, 512], decode: 64 };
const QUICK: RoundPlan = { prefill: [64], decode: 16 };
const ROUNDS = 5;

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean" },
      quick: { type: "boolean" },
      only: { type: "string" },
      rounds: { type: "string" },
      serve: { type: "string" }, // internal: be the child that measures this adapter
    },
  });
  if (values.serve !== undefined) return serveNodeIngle(values.serve);

  await fetchModel();
  const say = (line: string) => console.error(line);
  const skipped: Skipped[] = [];
  const attempt = async <T>(name: string, make: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await make();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      skipped.push({ name, reason });
      return undefined;
    }
  };

  const chromium: ChromiumBench | undefined = await attempt("Chromium", openChromiumBench);
  try {
    const contenders: (Contender | undefined)[] = [];
    for (const adapter of await adaptersInNode()) contenders.push(ingleInNode(adapter));
    if (chromium) contenders.push(chromium.ingle(), chromium.wllama(1), chromium.wllama(cpus().length));
    contenders.push(await attempt("llama.cpp", llamaCpp));
    const chosen = contenders
      .filter((each) => each !== undefined)
      .filter(({ name }) => name.includes(values.only ?? ""));

    const rounds = Number(values.rounds ?? (values.quick ? 1 : ROUNDS));
    const result = await compare(chosen, rounds, values.quick ? QUICK : FULL, say);
    const machine = describe(chromium?.version);
    const all = [...skipped, ...result.skipped];
    if (values.json) {
      console.log(JSON.stringify({ model: DEFAULT_MODEL, machine, rounds, ...result, skipped: all }, null, 2));
      return;
    }
    console.log(`${DEFAULT_MODEL.name}; ${describeMachine(machine)}; medians of ${rounds}, interleaved.\n`);
    console.log(speedTable(result.outcomes));
    console.log(`\n${costTable(result.outcomes)}`);
    if (all.length > 0) console.log(`\n${skippedLines(all)}`);
  } finally {
    await chromium?.close();
  }
}

/** A real GPU if there is one, and the CPU drivers at hand. */
async function adaptersInNode(): Promise<string[]> {
  const best = await openDawn().then(
    ({ name }) => name,
    () => undefined,
  );
  const gpu = best !== undefined && !/llvmpipe|swiftshader/i.test(best) ? [best] : [];
  return [...gpu, "lavapipe", "swiftshader"];
}

function ingleInNode(adapter: string): Contender {
  const args = [join(PROJECT_ROOT, "scripts/run.mjs"), "bench", "--serve", adapter];
  return childContender(`Ingle in Node, ${adapter}`, args, PROJECT_ROOT);
}

function llamaCpp(): Contender {
  const folder = installRival("llama.cpp");
  const threads = cpus().length;
  const script = join(PROJECT_ROOT, "test/bench/llama-cpp.mjs");
  return childContender("llama.cpp natively", [script, folder, DEFAULT_MODEL_PATH, String(threads)], PROJECT_ROOT);
}

function describe(chromium: string | undefined): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown CPU",
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    chromium,
  };
}
