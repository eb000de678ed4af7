// Checks of objects whose keys are known. An unknown key is an error, as at the top of a request; null means absent.
import { anything, type Check, join, missing, object, oneOf, unknown, wrongType } from "./checks.ts";

export type Checks = Readonly<Record<string, Check<unknown>>>;

type Checked<C extends Checks> = { [Key in keyof C]: C[Key] extends Check<infer T> ? T : never };

export function shape<R extends Checks, O extends Checks = Record<never, never>>(
  required: R,
  optional?: O,
): Check<Checked<R> & Partial<Checked<O>>> {
  const known = new Map(Object.entries<Check<unknown>>({ ...required, ...optional }));
  return (value, path) => {
    const entries = object(value, path);
    for (const key of entries.keys()) if (!known.has(key)) throw unknown(join(path, key));
    const checked: Record<string, unknown> = {};
    for (const [key, check] of known) {
      if (entries.has(key)) checked[key] = check(entries.get(key), join(path, key));
      else if (Object.hasOwn(required, key)) throw missing(join(path, key));
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
    const typePath = join(path, "type");
    if (!entries.has("type")) throw missing(typePath);
    const type = readType(entries.get("type"), typePath);
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
