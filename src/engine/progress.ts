// Load progress as one kind of event, with a rate, and no more often than a person can see.
export type LoadPhase = "download" | "cache" | "upload" | "compile" | "ready";

/** `bytes` and `total` count operations of the model, not bytes, while the phase is `compile`. */
export interface ProgressEvent {
  readonly phase: LoadPhase;
  readonly bytes: number;
  readonly total: number;
  /** Since the phase began; 0 before there is anything to divide. */
  readonly bytesPerSecond: number;
}

const MIN_INTERVAL_MS = 50;

/** Reports each phase's first and last event, and others at most every 50 ms. */
export function createProgress(
  onProgress: ((event: ProgressEvent) => void) | undefined,
  now: () => number = () => performance.now(),
): (phase: LoadPhase, bytes: number, total: number) => void {
  const started = new Map<LoadPhase, { at: number; bytes: number }>();
  let last: { phase: LoadPhase; at: number } | undefined;
  return (phase, bytes, total) => {
    const time = now();
    const start = started.get(phase) ?? { at: time, bytes };
    started.set(phase, start);
    if (bytes < total && last?.phase === phase && time - last.at < MIN_INTERVAL_MS) return;
    last = { phase, at: time };
    const seconds = (time - start.at) / 1000;
    onProgress?.({ phase, bytes, total, bytesPerSecond: seconds > 0 ? (bytes - start.bytes) / seconds : 0 });
  };
}
