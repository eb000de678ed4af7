// An object's entries by key: required, optional, and no others. Null and undefined entries are absent (checks.object).
import { type Check, join, missing, unknown } from "./checks.ts";

export type Entries = ReadonlyMap<string, unknown>;

export function required<T>(entries: Entries, path: string, key: string, check: Check<T>): T {
  if (!entries.has(key)) throw missing(join(path, key));
  return check(entries.get(key), join(path, key));
}

export function optional<T>(entries: Entries, path: string, key: string, check: Check<T>): T | undefined {
  return entries.has(key) ? check(entries.get(key), join(path, key)) : undefined;
}

/** @throws EngineError `invalid_request` that names the first key which is not one of these */
export function allowKeys(entries: Entries, path: string, keys: readonly string[]): void {
  for (const key of entries.keys()) if (!keys.includes(key)) throw unknown(join(path, key));
}
