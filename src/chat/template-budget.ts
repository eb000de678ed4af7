// What one rendering of a chat template may cost. Templates come from downloaded files (RELIABILITY G5).
import { EngineError, isEngineError } from "../base/errors.ts";
import type { Meter } from "./python-text.ts";

/** Evaluated nodes and list entries of one rendering. The longest templates in use take about 5,000 for a long chat. */
const STEP_LIMIT = 200_000;
/** UTF-16 units of any one text, the output included. */
const TEXT_LIMIT = 4 * 1024 * 1024;
/** Units of all texts made on the way, so that a list of long ones is bounded too. */
const MADE_LIMIT = 16 * TEXT_LIMIT;
const TIME_LIMIT_MS = 1000;
/** Nested evaluations; the largest templates in use nest about 60. Well inside a worker's stack. */
const DEPTH_LIMIT = 400;
const SOURCE_LIMIT = 1024 * 1024;

/** Every method throws `budget_exceeded` once its limit is passed. */
export interface TemplateBudget extends Meter {
  /** One evaluation begins: a step, a level of depth, and a look at the clock. */
  enter(): void;
  leave(): void;
  /** A new text of that length was made. */
  madeText(length: number): void;
}

export function createTemplateBudget(): TemplateBudget {
  const deadline = performance.now() + TIME_LIMIT_MS;
  let stepsTaken = 0;
  let unitsMade = 0;
  let level = 0;
  const budget: TemplateBudget = {
    steps(count) {
      stepsTaken += count;
      if (stepsTaken > STEP_LIMIT) throw overBudget("template_steps", STEP_LIMIT);
    },
    textLength(length) {
      if (!(length <= TEXT_LIMIT)) throw overBudget("template_text", TEXT_LIMIT);
    },
    madeText(length) {
      budget.textLength(length);
      unitsMade += length;
      if (unitsMade > MADE_LIMIT) throw overBudget("template_text_made", MADE_LIMIT);
    },
    depth(depth) {
      if (depth > DEPTH_LIMIT) throw overBudget("template_depth", DEPTH_LIMIT);
    },
    enter() {
      budget.steps(1);
      if (performance.now() > deadline) throw overBudget("template_milliseconds", TIME_LIMIT_MS);
      budget.depth(++level);
    },
    leave() {
      level--;
    },
  };
  return budget;
}

/** @throws EngineError `budget_exceeded` for a source over 1 MB */
export function checkSourceLength(length: number): void {
  if (length > SOURCE_LIMIT) throw overBudget("template_source", SOURCE_LIMIT);
}

/** Runs it, turning whatever is thrown into an EngineError. */
export function typeErrors<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (cause) {
    if (isEngineError(cause)) throw cause;
    // "Maximum call stack size exceeded", in the parser for one, is a RangeError.
    if (cause instanceof RangeError) throw overBudget("template_depth", DEPTH_LIMIT);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EngineError("template_error", `The chat template failed: ${reason}`, { cause });
  }
}

function overBudget(budget: string, limit: number): EngineError<"budget_exceeded"> {
  const message = `The chat template ran over its budget (${budget}: ${limit}). The template is broken or hostile, or the messages are too long for it.`;
  return new EngineError("budget_exceeded", message, { details: { budget, limit } });
}
