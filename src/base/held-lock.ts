// Locks by which one context of an origin knows that another lives: the browser releases them when their holder is gone,
// however it went.

/** Holds `name` alone, from when this resolves until what it resolves to is called. */
export function holdLock(locks: LockManager, name: string): Promise<() => void> {
  return new Promise((held, failed) => {
    locks.request(name, () => new Promise<void>((release) => held(release))).catch(failed);
  });
}

/** Calls `then` once nobody holds `name`, unless `signal` fires before. Those who wait do not keep each other waiting. */
export function whenReleased(locks: LockManager, name: string, signal: AbortSignal, then: () => void): void {
  locks.request(name, { mode: "shared", signal }, then).catch(ignore);
}

function ignore(): void {}
