// The inside of a request: its places, copies of it, and the names that errors give to its places.

type Container = Record<string | number, unknown>;

/** Somewhere in a request: `holder[key]`. */
export interface Place {
  readonly holder: Container;
  readonly key: string | number;
}

/** More than any request needs that a mutation has not blown up. */
const MOST_PLACES = 400;

/** Every place inside, outermost first; those of cyclic, wide or deep values only so far. */
export function placesIn(body: object): Place[] {
  const places: Place[] = [];
  const holders: object[] = [body];
  for (let next = holders.shift(); next !== undefined && places.length < MOST_PLACES; next = holders.shift()) {
    const holder = next as Container;
    for (const name of Object.keys(holder).slice(0, 50)) {
      const key = Array.isArray(holder) ? Number(name) : name;
      if (Number.isNaN(key)) continue;
      places.push({ holder, key });
      const value = read(holder, key);
      if (isContainer(value)) holders.push(value);
    }
  }
  return places;
}

export function isContainer(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}

/** The own property, also where its name is one that every object inherits. */
export function read(holder: object, key: string | number): unknown {
  return Object.getOwnPropertyDescriptor(holder, key)?.value;
}

/** Sets an own property, also where its name is `__proto__`. */
export function write(holder: object, key: string | number, value: unknown): void {
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}

export function remove({ holder, key }: Place): void {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
}

/** A copy down to what is no plain object or array; a value that is met again is copied once. */
export function copyOf<T>(value: T, copies = new Map<object, object>()): T {
  if (!isContainer(value)) return value;
  const known = copies.get(value);
  if (known) return known as T;
  const copy: object = Array.isArray(value) ? new Array(value.length) : {};
  copies.set(value, copy);
  for (const key of Object.keys(value)) write(copy, key, copyOf(read(value, key), copies));
  return copy as T;
}

/** True if `path` names something that is in the body, or that is missing from something that is. */
export function names(body: unknown, path: string): boolean {
  if (Array.isArray(body)) {
    const [whole, index] = /^\[(\d+)\]/.exec(path) ?? [];
    return whole !== undefined && Number(index) < body.length && goesOn(body[Number(index)], path.slice(whole.length));
  }
  if (typeof body !== "object" || body === null) return false;
  const keys = Object.keys(body).filter((key) => path.startsWith(key));
  if (keys.some((key) => goesOn(read(body, key), path.slice(key.length)))) return true;
  return /^[a-z_]+$/.test(path) && (read(body, path) ?? undefined) === undefined;
}

/** The rest of a path, after the name of `value`. */
function goesOn(value: unknown, rest: string): boolean {
  if (rest === "") return true;
  return rest.startsWith(".") ? names(value, rest.slice(1)) : rest.startsWith("[") && names(value, rest);
}
