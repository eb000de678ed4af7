// `npm run bench`: load, prefill, decode and requests on every adapter in Node and in Chromium, beside wllama and llama.cpp on
// the same file, interleaved; medians. Prints Markdown, or JSON with --json. `--quick` is one short round, `--only TEXT,TEXT`
// picks by name, `--page` serves a page that measures whichever browser opens it, `--depths 1000` says how deep to decode (4,000
// tokens take long to come to on a CPU adapter), `--model FILE` takes another model, in Node alone.
import { cpus, release, totalmem, type } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { childContender } from "../test/bench/child-contender.ts";
import type { ChromiumBench } from "../test/bench/chromium.ts";
import {
  type Contender,
  compare,
  type RoundFigures,
  type RoundPlan,
  rivalFigures,
  type Skipped,
} from "../test/bench/contender.ts";
import { GPU, serveNodeIngle } from "../test/bench/node-ingle.ts";
import { installRival } from "../test/bench/rivals.ts";
import { costTable, describeMachine, type Machine, skippedLines, speedTable } from "../test/bench/table.ts";
import { openDawn } from "./dawn.ts";
import { DEFAULT_MODEL_PATH, PROJECT_ROOT } from "./default-model.ts";
import { fetchModel } from "./fetch-model.ts";
import { interruptSignal } from "./interrupt.ts";

const FULL: RoundPlan = { prefill: [32, 512], decode: 32, depths: [1000, 4000], streams: 4, turn: 1000, edit: 400 };
const QUICK: RoundPlan = { prefill: [64], decode: 16, depths: [], streams: 2, turn: 128, edit: 40 };
const ROUNDS = 5;

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean" },
      quick: { type: "boolean" },
      only: { type: "string" },
      rounds: { type: "string" },
      depths: { type: "string" },
      page: { type: "boolean" },
      model: { type: "string" },
      serve: { type: "string" }, // internal: be the child that measures this adapter
    },
  });
  const modelPath = values.model === undefined ? DEFAULT_MODEL_PATH : resolve(values.model);
  if (values.serve !== undefined) return serveNodeIngle(values.serve, modelPath);

  if (values.model === undefined) await fetchModel();
  if (values.page) return servePage();
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

  const chromium: ChromiumBench | undefined =
    values.model === undefined
      ? await attempt("Chromium", async () => (await chromiumBench()).openChromiumBench())
      : undefined;
  try {
    const contenders: (Contender | undefined)[] = [];
    const gpu = await gpuInNode();
    if (gpu !== undefined) contenders.push(ingleInNode(gpu, GPU, modelPath));
    for (const driver of ["lavapipe", "swiftshader"]) contenders.push(ingleInNode(driver, driver, modelPath));
    if (chromium) contenders.push(chromium.ingle(), chromium.wllama(1), chromium.wllama(cpus().length));
    for (const processor of new Set([...(gpu === undefined ? [] : ["vulkan"]), "1", String(cpus().length)]))
      contenders.push(await attempt("llama.cpp", () => llamaCpp(processor, modelPath)));
    const chosen = contenders
      .filter((each) => each !== undefined)
      .filter(({ name }) => (values.only ?? "").split(",").some((part) => name.includes(part)));

    const rounds = Number(values.rounds ?? (values.quick ? 1 : ROUNDS));
    const depths = values.depths?.split(",").filter((depth) => depth !== "");
    const plan = { ...(values.quick ? QUICK : FULL), ...(depths && { depths: depths.map(Number) }) };
    const result = await compare(chosen, rounds, plan, say);
    const machine = describe(chromium?.version);
    const all = [...skipped, ...result.skipped];
    if (values.json) {
      console.log(JSON.stringify({ model: basename(modelPath), machine, rounds, ...result, skipped: all }, null, 2));
      return;
    }
    console.log(`${basename(modelPath)}; ${describeMachine(machine)}; medians of ${rounds}, interleaved.\n`);
    console.log(speedTable(result.outcomes));
    console.log(`\n${costTable(result.outcomes)}`);
    if (all.length > 0) console.log(`\n${skippedLines(all)}`);
  } finally {
    await chromium?.close();
  }
}

async function servePage(): Promise<void> {
  const { url, close } = await (await chromiumBench()).startBenchSite();
  console.log(`The bench is at ${url}  (Ctrl-C stops it)`);
  const signal = interruptSignal();
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await close();
}

/** Loaded where it is used, since it brings a browser's driver. */
function chromiumBench() {
  return import("../test/bench/chromium.ts");
}

/** The name of a real GPU, if there is one. */
async function gpuInNode(): Promise<string | undefined> {
  const best = await openDawn().then(
    ({ name }) => name,
    () => undefined,
  );
  return best !== undefined && !/llvmpipe|swiftshader/i.test(best) ? best : undefined;
}

/** @param adapter as serveNodeIngle takes it */
function ingleInNode(name: string, adapter: string, modelPath: string): Contender {
  const args = [join(PROJECT_ROOT, "scripts/run.mjs"), "bench", "--serve", adapter, "--model", modelPath];
  return childContender(`Ingle in Node, ${name}`, args, PROJECT_ROOT, (round: RoundFigures) => round);
}

/** @param processor "vulkan", or a number of threads */
function llamaCpp(processor: string, modelPath: string): Contender {
  const folder = installRival("llama.cpp");
  const script = join(PROJECT_ROOT, "test/bench/llama-cpp.mjs");
  const name = `llama.cpp natively${processor === "vulkan" ? " on Vulkan" : ""}`;
  return childContender(name, [script, folder, modelPath, processor], PROJECT_ROOT, rivalFigures);
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
