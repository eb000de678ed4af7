// Waiting: between attempts, and for a turn.

/** Half a second, then twice as long each time, at most 8 s, spread by up to a quarter so that tabs do not march in step. */
export function backoffMs(failures: number): number {
  return Math.min(8000, 250 * 2 ** failures) * (1 + Math.random() / 4);
}

/** Lets at most `width` tasks run at a time; the others wait in order. */
export function createGate(width: number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (running >= width) await new Promise<void>((enter) => waiting.push(enter));
    else running++;
    try {
      return await task();
    } finally {
      const next = waiting.shift(); // who waits takes over the place
      if (next) next();
      else running--;
    }
  };
}
