// One row of the table of request fields (fields.ts): what a field takes, what its absence means, whether it is honoured.
import type { EngineError } from "../base/errors.ts";
import { type Check, invalid, unsupported } from "./checks.ts";

interface Row<T> {
  /** The value's type and range; a row that is refused checks them as well. */
  readonly check: Check<T>;
  /** For a reader: type and range. */
  readonly range: string;
}

/** A field of OpenAI's that does what it says. */
export interface Honoured<T> extends Row<T> {
  readonly support: "honoured";
  /** For a reader: what absence means. */
  readonly fallback: string;
  readonly note: string;
}

/** A field of ours. */
export interface Extension<T> extends Row<T> {
  readonly support: "extension";
  readonly fallback: string;
  /** For a reader: what it does, and where it comes from. */
  readonly note: string;
}

/** A field of OpenAI's that is known, checked, and then refused by name. */
export interface Refused extends Row<unknown> {
  readonly support: "refused";
  /** The refusal of a checked value; undefined for one that asks for nothing. */
  readonly refusal: (checked: unknown, name: string) => EngineError | undefined;
  /** For a reader: the values that ask for nothing, and so pass. */
  readonly passing?: string;
  /** For a reader: why, or what to do instead. */
  readonly note: string;
}

export type FieldRow = Honoured<unknown> | Extension<unknown> | Refused;

/** The values of a refused field that ask for nothing. */
interface Passing<T> {
  readonly test: (checked: T) => boolean;
  readonly text: string;
}

export function honoured<T>(check: Check<T>, range: string, fallback: string, note = ""): Honoured<T> {
  return { support: "honoured", check, range, fallback, note };
}

export function extension<T>(check: Check<T>, range: string, fallback: string, note: string): Extension<T> {
  return { support: "extension", check, range, fallback, note };
}

export function refused<T>(check: Check<T>, range: string, advice: string, passes?: Passing<T>): Refused {
  return {
    support: "refused",
    check,
    range,
    refusal: (checked, name) => (passes?.test(checked as T) ? undefined : unsupported(name, advice)),
    note: advice,
    ...(passes && { passing: passes.text }),
  };
}

/** A field that only means something beside another, which is refused: whatever its value, it is alone. */
export function onlyBeside(other: string, check: Check<unknown>, range: string): Refused {
  return {
    support: "refused",
    check,
    range,
    refusal: (_, name) => invalid(name, "invalid_value", `'${name}' is only allowed when '${other}' are specified.`),
    note: `Only allowed beside \`${other}\`.`,
  };
}
