// One at a time, in the order of asking.

export interface Turns {
  /** Resolves when everybody before has left, to what has to be called, once, to leave. */
  enter(): Promise<() => void>;
  /** Resolves when everybody who has asked by now has left. */
  passed(): Promise<void>;
}

export function createTurns(): Turns {
  let last: Promise<void> = Promise.resolve();
  return {
    enter() {
      const before = last;
      let leave!: () => void;
      const left = new Promise<void>((resolve) => {
        leave = resolve;
      });
      last = before.then(() => left);
      return before.then(() => leave);
    },
    passed: () => last,
  };
}
