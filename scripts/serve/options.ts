// The arguments of `npm run serve`, checked before anything is fetched, opened or loaded.
import { parseArgs } from "node:util";
import type { TuneOption } from "../../src/engine/runtime-host.ts";
import type { KvCacheType } from "../../src/kernels/kv-format.ts";
import type { Precision } from "../../src/kernels/precision.ts";
import { CommandError } from "../command-error.ts";
import { readKvCache } from "../kv-cache-flag.ts";
import { readPrecision } from "../precision-flag.ts";
import { readTune } from "../tune-flag.ts";
import { isLoopback } from "./address.ts";

export const USAGE = `usage: npm run serve [-- options]
  --model FILE         a GGUF file, or NAME=FILE for requests to call it NAME; may be given several times;
                       default: the model that npm run fetch-model brings, fetched if it is not there
  --port N             default: 8080; 0 takes any that is free
  --host H             address to listen at; default: 127.0.0.1, which only this machine reaches; others need a key
  --api-key K          clients have to send it as \`authorization: Bearer K\`; default: the environment's INGLE_API_KEY
  --cors ORIGIN        lets pages of this origin call, as in https://example.org; may be given several times
  --adapter NAME       lavapipe, swiftshader, or a part of a GPU's name; default: the best there is
  --tune off           do not measure which kernels are fastest on this GPU, between requests; default: auto
  --memory-budget N    bytes of GPU memory beside the models' weights; default: 1073741824, 1 GiB
  --kv-cache TYPE      f16, or q8_0 for keys and values in half of the memory; default: f16
  --precision fast     activations rounded to bytes where that is faster on this GPU; default: exact`;

const DEFAULT_PORT = 8080;
const DEFAULT_HOST = "127.0.0.1";
const KEY_VARIABLE = "INGLE_API_KEY";

export interface ServeOptions {
  /** Undefined for the default model. */
  readonly models: readonly { readonly path: string; readonly id?: string }[] | undefined;
  readonly port: number;
  readonly host: string;
  readonly apiKey: string | undefined;
  readonly origins: readonly string[];
  readonly adapter: string | undefined;
  readonly tune: TuneOption | undefined;
  readonly memoryBudget: number | undefined;
  /** Of all models. */
  readonly kvCache: KvCacheType | undefined;
  /** Of all models. */
  readonly precision: Precision | undefined;
}

/** @throws CommandError saying which option is wrong and how it is written */
export function readServeOptions(args: string[], env: NodeJS.ProcessEnv): ServeOptions | "help" {
  const values = parse(args);
  if (values.help) return "help";
  const host = values.host ?? DEFAULT_HOST;
  const apiKey = readKey("--api-key", values["api-key"]) ?? readKey(KEY_VARIABLE, env[KEY_VARIABLE]);
  if (apiKey === undefined && !isLoopback(host))
    throw new CommandError(
      `--host ${host} lets other machines in, and there is no key: add --api-key K, or set ${KEY_VARIABLE}.`,
    );
  return {
    models: values.model && readModels(values.model),
    port: readPort(values.port),
    host,
    apiKey,
    origins: (values.cors ?? []).map(readOrigin),
    adapter: values.adapter,
    tune: readTune(values.tune),
    memoryBudget: readBudget(values["memory-budget"]),
    kvCache: readKvCache(values["kv-cache"]),
    precision: readPrecision(values.precision),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        model: { type: "string", multiple: true },
        port: { type: "string" },
        host: { type: "string" },
        "api-key": { type: "string" },
        cors: { type: "string", multiple: true },
        adapter: { type: "string" },
        tune: { type: "string" },
        "memory-budget": { type: "string" },
        "kv-cache": { type: "string" },
        precision: { type: "string" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new CommandError(`${(error as Error).message}\n${USAGE}`);
  }
}

/** `NAME=FILE`, or a path. What comes before the first `=` is a path's beginning, and no name, if it has a slash. */
function readModels(texts: readonly string[]): { path: string; id?: string }[] {
  const models = texts.map((text) => {
    const [, id, path] = /^([^=/\\]*)=(.*)$/s.exec(text) ?? [undefined, undefined, text];
    if (id === "" || path === "" || path === undefined)
      throw new CommandError(`--model ${text} is not a path, nor NAME=FILE`);
    return { path, ...(id !== undefined && { id }) };
  });
  const names = models.flatMap(({ id }) => id ?? []);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new CommandError(`two models are named ${twice}: give one of them another name`);
  return models;
}

function readPort(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PORT;
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new CommandError(`--port ${text} is not a port: 0 to 65535`);
  return port;
}

/** The message does not repeat the key: what commands print gets kept. */
function readKey(name: string, key: string | undefined): string | undefined {
  if (key === undefined || /^[\x21-\x7e]+$/.test(key)) return key;
  const wrong = key === "" ? "is empty" : "has characters other than letters, digits and signs of ASCII";
  throw new CommandError(`${name} ${wrong}: give a key that fits a header, or leave it out`);
}

/** As browsers write it in their Origin header, since that is what it is compared with. */
function readOrigin(text: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s*]+$/.test(text)) return text;
  throw new CommandError(`--cors ${text} is not an origin: scheme, host and port, as in https://example.org`);
}

function readBudget(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(bytes) || bytes <= 0)
    throw new CommandError(`--memory-budget ${text} is not a number of bytes`);
  return bytes;
}
