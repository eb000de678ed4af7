// Promise.all for work that has to be cleaned up after.

/**
 * Settles as `Promise.all` does, but only when every promise has: after a failure nothing runs on beside the clean-up.
 * @param onFailure called at the first failure: what can be stopped of the rest may be
 */
export async function allEnded<Promises extends readonly Promise<unknown>[]>(
  promises: Promises,
  onFailure?: () => void,
): Promise<{ -readonly [Index in keyof Promises]: Awaited<Promises[Index]> }> {
  const all = Promise.all(promises);
  all.catch(() => onFailure?.());
  await Promise.allSettled(promises);
  return all;
}
