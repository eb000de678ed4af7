// `npm run ask -- "…"`: one answer in the terminal, through Dawn in Node. The answer goes to stdout, all else to stderr.
import { text as readAll } from "node:stream/consumers";
import { parseArgs } from "node:util";
import type { RequestStats } from "../src/engine/stats.ts";
import { CommandError } from "./command-error.ts";
import { interruptSignal } from "./interrupt.ts";
import { readKvCache } from "./kv-cache-flag.ts";
import { type NodeEngine, openNodeEngine } from "./node-engine.ts";
import { readPrecision } from "./precision-flag.ts";
import { formatRate, formatSeconds } from "./terminal.ts";
import { readTune } from "./tune-flag.ts";

const USAGE = `usage: npm run ask -- "PROMPT" [options]      (without a prompt it is read from stdin)
  --model FILE         a GGUF file; default: the model that npm run fetch-model brings
  --system TEXT        system prompt
  --temperature N      0 to 2; 0 always takes the likeliest token
  --top-p N            0 to 1
  --seed N             the same seed gives the same answer
  --max-tokens N       most tokens in the answer
  --adapter NAME       lavapipe, swiftshader, or a part of a GPU's name; default: the best there is
  --kv-cache TYPE      f16, or q8_0 for keys and values in half of the memory; default: f16
  --precision fast     activations rounded to bytes where that is faster on this GPU; default: exact
  --tune off           not the kernels that npm run serve has measured to be fastest on this GPU; default: auto
  --json               print the whole response object instead of streaming the text`;

const INTERRUPTED = 130;

export async function main(args: string[]): Promise<void> {
  const { values, positionals } = readOptions(args);
  if (values.help) return console.log(USAGE);
  const prompt = positionals.length > 0 ? positionals.join(" ") : await readPrompt();
  const params = {
    messages: [
      ...(values.system === undefined ? [] : [{ role: "system" as const, content: values.system }]),
      { role: "user" as const, content: prompt },
    ],
    ...numberOption("temperature", values.temperature),
    ...numberOption("top_p", values["top-p"], "top-p"),
    ...numberOption("seed", values.seed),
    ...numberOption("max_completion_tokens", values["max-tokens"], "max-tokens"),
  };

  const signal = interruptSignal();
  let stats: RequestStats | undefined;
  try {
    const engine = await openNodeEngine({
      ...(values.model !== undefined && { models: [{ path: values.model }] }),
      adapter: values.adapter,
      kvCache: readKvCache(values["kv-cache"]),
      precision: readPrecision(values.precision),
      tune: readTune(values.tune),
      signal,
      onStats: (figures) => {
        stats = figures;
      },
    });
    try {
      const { name, adapter, features, warnings } = engine.info;
      console.error(`${name} on ${adapter}; GPU features: ${features.join(", ") || "none"}`);
      for (const warning of warnings) console.error(`warning: ${warning}`);
      const request = { model: engine.info.id, ...params };
      if (values.json) console.log(JSON.stringify(await engine.chat.completions.create(request, { signal }), null, 2));
      else await streamAnswer(engine, request, signal);
    } finally {
      await engine.dispose();
    }
    if (stats) console.error(describeStats(stats));
  } catch (error) {
    if (!signal.aborted) throw error;
    console.error("\nstopped");
    process.exitCode = INTERRUPTED;
  }
}

async function streamAnswer(
  engine: NodeEngine,
  params: Parameters<NodeEngine["chat"]["completions"]["create"]>[0],
  signal: AbortSignal,
): Promise<void> {
  const stream = await engine.chat.completions.create({ ...params, stream: true }, { signal });
  for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");
  process.stdout.write("\n");
}

function readOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        model: { type: "string" },
        system: { type: "string" },
        temperature: { type: "string" },
        "top-p": { type: "string" },
        seed: { type: "string" },
        "max-tokens": { type: "string" },
        adapter: { type: "string" },
        "kv-cache": { type: "string" },
        precision: { type: "string" },
        tune: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new CommandError(`${(error as Error).message}\n${USAGE}`);
  }
}

async function readPrompt(): Promise<string> {
  const prompt = process.stdin.isTTY ? "" : (await readAll(process.stdin)).trim();
  if (prompt === "") throw new CommandError(`no prompt\n${USAGE}`);
  return prompt;
}

/** `{ [field]: value }` when the option was given; its range is the engine's to check. */
function numberOption<Field extends string>(
  field: Field,
  text: string | undefined,
  option: string = field,
): { [key in Field]?: number } {
  if (text === undefined) return {};
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new CommandError(`--${option} ${text} is not a number`);
  return { [field]: value } as { [key in Field]?: number };
}

function describeStats({ completionTokens, promptTokens, prefillMs, firstTokenMs, decodeMs }: RequestStats): string {
  const at = (rate: string | undefined) => (rate === undefined ? "" : ` at ${rate}`);
  const prefill = at(formatRate(promptTokens, prefillMs));
  const decode = at(formatRate(completionTokens - 1, decodeMs));
  return `${promptTokens} prompt tokens${prefill}, first token after ${formatSeconds(firstTokenMs / 1000)}, ${completionTokens} answer tokens${decode}`;
}
