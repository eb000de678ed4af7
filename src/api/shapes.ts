// Checks of objects whose keys are known. An unknown key is an error, as at the top of a request; null means absent.
import { anything, type Check, object, oneOf, wrongType } from "./checks.ts";
import { allowKeys, optional, required } from "./entries.ts";

export type Checks = Readonly<Record<string, Check<unknown>>>;

type Checked<C extends Checks> = { [Key in keyof C]: C[Key] extends Check<infer T> ? T : never };

export function shape<R extends Checks, O extends Checks = Record<never, never>>(
  needed: R,
  others?: O,
): Check<Checked<R> & Partial<Checked<O>>> {
  const keys = [...Object.keys(needed), ...Object.keys(others ?? {})];
  return (value, path) => {
    const entries = object(value, path);
    allowKeys(entries, path, keys);
    const checked: Record<string, unknown> = {};
    for (const [key, check] of Object.entries(needed)) checked[key] = required(entries, path, key, check);
    for (const [key, check] of Object.entries(others ?? {})) {
      if (entries.has(key)) checked[key] = optional(entries, path, key, check);
    }
    return checked as Checked<R> & Partial<Checked<O>>;
  };
}

/** An object whose `type` says what else it must hold; the result is that type. */
export function variant<Type extends string>(variants: Readonly<Record<Type, Checks>>): Check<Type> {
  const types = Object.keys(variants) as Type[];
  const readType = oneOf(...types);
  const shapes = new Map(types.map((type) => [type, shape({ type: anything, ...variants[type] })]));
  return (value, path) => {
    const entries = object(value, path);
    const type = required(entries, path, "type", readType);
    shapes.get(type)?.(value, path);
    return type;
  };
}

/** A string of one kind, or an object of another. */
export function stringOr<S, O>(whenString: Check<S>, otherwise: Check<O>): Check<S | O> {
  return (value, path) => {
    if (typeof value === "string") return whenString(value, path);
    if (typeof value !== "object" || Array.isArray(value)) return wrongType(value, path, "a string or an object");
    return otherwise(value, path);
  };
}
