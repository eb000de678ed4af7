// `--kv-cache TYPE` of the commands that load a model.
import { isKvCacheType, KV_CACHE_TYPES, type KvCacheType } from "../src/kernels/kv-format.ts";
import { CommandError } from "./command-error.ts";

/** @throws CommandError for what is no type */
export function readKvCache(text: string | undefined): KvCacheType | undefined {
  if (text === undefined || isKvCacheType(text)) return text;
  throw new CommandError(`--kv-cache ${text} is not how keys and values can be kept: ${KV_CACHE_TYPES.join(" or ")}`);
}
