// Lets the event loop turn: without it, a run of promises keeps messages (an abort, say) waiting for ever.

/** Resolves in a task of its own, after the messages that are already waiting. No timer, so a background tab keeps its pace. */
export function nextTask(): Promise<void> {
  return new Promise(schedule);
}

const schedule: (run: () => void) => void = typeof setImmediate === "function" ? setImmediate : messageScheduler();

function messageScheduler(): (run: () => void) => void {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return (run) => {
    waiting.push(run);
    port2.postMessage(null);
  };
}
