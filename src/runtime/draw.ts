// A token on its way: what a step samples for a sequence. The next step may follow it before anybody has read it.
import type { EngineError } from "../base/errors.ts";
import type { StepId } from "./runtime.ts";

export interface Draw {
  readonly step: StepId;
  /** Where the kernels of later steps find the token, from its own step on; undefined: nowhere. */
  place?: number;
  /** Known when the step has settled, unless there is a fault. */
  token?: number | undefined;
  fault?: EngineError | undefined;
}
