// Ctrl-C: the first ends the work in good order, the second ends the process, and npm's echo of the first is neither.
import { afterEach, expect, test, vi } from "vitest";
import { interruptSignal } from "../../scripts/interrupt.ts";

const before = process.rawListeners("SIGINT");

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const listener of process.rawListeners("SIGINT"))
    if (!before.includes(listener)) process.off("SIGINT", listener as () => void);
});

test("the second key press ends the process, the echo of the first does not", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const exit = vi.spyOn(process, "exit").mockImplementation((() => {}) as never);
  const signal = interruptSignal();
  expect(signal.aborted).toBe(false);
  press();
  expect(signal.aborted).toBe(true);
  vi.advanceTimersByTime(5);
  press();
  expect(exit).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1000);
  press();
  expect(exit).toHaveBeenCalledExactlyOnceWith(130);
});

/** What Node does for a SIGINT, for the listeners of this test alone. */
function press(): void {
  for (const listener of process.rawListeners("SIGINT"))
    if (!before.includes(listener)) listener.call(process, "SIGINT");
}
