// A broken invariant is a bug in Ingle, never a user's mistake: it throws a plain Error that no code catches.

/** @throws Error when `condition` is false. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Bug in Ingle: ${message}`);
}
