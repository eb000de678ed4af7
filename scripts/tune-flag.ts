// `--tune auto|off` of the commands that load models.
import type { TuneOption } from "../src/engine/runtime-host.ts";
import { CommandError } from "./command-error.ts";

/** @throws CommandError for anything else */
export function readTune(text: string | undefined): TuneOption | undefined {
  if (text === undefined || text === "auto" || text === "off") return text;
  throw new CommandError(`--tune ${text} is neither auto nor off`);
}
