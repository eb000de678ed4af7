// `--precision exact|fast` of the commands that load a model.
import { isPrecision, PRECISIONS, type Precision } from "../src/kernels/precision.ts";
import { CommandError } from "./command-error.ts";

/** @throws CommandError for anything else */
export function readPrecision(text: string | undefined): Precision | undefined {
  if (text === undefined || isPrecision(text)) return text;
  throw new CommandError(`--precision ${text} is neither of ${PRECISIONS.join(" and ")}`);
}
