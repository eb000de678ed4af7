// A row of logits: the check that every row passes before use, and writes that keep it usable.
import { EngineError } from "../base/errors.ts";

export const LARGEST_F32 = 3.4028234663852886e38;

/**
 * The largest of a model's logits, [vocabSize]; it is finite.
 *
 * @throws EngineError `numeric_fault` for NaN or +Infinity among them, or no finite one
 */
export function checkedLargest(logits: Float32Array): number {
  let largest = -Infinity;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token]!;
    if (!(logit < Infinity)) throw brokenLogit(token, logits.length, logit);
    if (logit > largest) largest = logit;
  }
  if (largest === -Infinity) throw noFiniteLogit(logits.length);
  return largest;
}

/** The largest of logits that were checked before steps changed them. */
export function largestOf(logits: Float32Array): number {
  let largest = -Infinity;
  for (let token = 0; token < logits.length; token++) if (logits[token]! > largest) largest = logits[token]!;
  return largest;
}

/** Writes a logit, held within the finite f32 numbers; a token that is ruled out (-Infinity) stays so. */
export function setLogit(logits: Float32Array, token: number, value: number): void {
  if (logits[token] !== -Infinity) logits[token] = Math.max(-LARGEST_F32, Math.min(value, LARGEST_F32));
}

/** Of the first logit that is NaN or +Infinity. */
export function brokenLogit(token: number, vocabSize: number, logit: number): EngineError<"numeric_fault"> {
  return numericFault(`Logit ${token} of ${vocabSize} is ${logit}`);
}

export function noFiniteLogit(vocabSize: number): EngineError<"numeric_fault"> {
  return numericFault(`None of the ${vocabSize} logits is finite`);
}

function numericFault(what: string): EngineError<"numeric_fault"> {
  return new EngineError(
    "numeric_fault",
    `${what}: the model's arithmetic broke down. Reload it, or try another format.`,
  );
}
