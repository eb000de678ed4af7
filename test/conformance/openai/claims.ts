// What checks are made of where there is no test runner: claims that throw, and a wait for what is on its way.

/** @throws Error with `fault` */
export function claim(holds: boolean, fault: string): asserts holds {
  if (!holds) throw new Error(fault);
}

/** Compares what JSON would be made of both, keys in any order. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const [is, shouldBe] = [canonical(actual), canonical(expected)];
  claim(is === shouldBe, `${what} is ${is}\nand should be ${shouldBe}`);
}

export function none(faults: readonly string[], what: string): void {
  claim(faults.length === 0, `${what}: ${faults.join("; ")}`);
}

/** What a call is refused with. */
export async function rejection(call: PromiseLike<unknown>): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    value = await call;
  } catch (error) {
    return error as Record<string, unknown>;
  }
  throw new Error(`a call that should have failed gave ${canonical(value)}`);
}

/** Looks again and again; how long it takes is the caller's time limit to judge. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(1);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
