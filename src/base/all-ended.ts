// Promise.all for work that has to be cleaned up after.

/** Settles as `Promise.all` does, but only when every promise has: after a failure nothing runs on beside the clean-up. */
export async function allEnded<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
