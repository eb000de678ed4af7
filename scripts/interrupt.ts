// Ctrl-C as an AbortSignal.

/** Where npm and the script are one process group, npm passes on the SIGINT that the terminal has sent to both: one key press, two signals. */
const SAME_KEY_PRESS_MS = 200;

/** A signal for the first Ctrl-C; a second one ends the process at once. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => {
    controller.abort();
    const first = performance.now();
    process.on("SIGINT", () => {
      if (performance.now() - first > SAME_KEY_PRESS_MS) process.exit(130);
    });
  });
  return controller.signal;
}
