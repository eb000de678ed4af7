// What the commands say in a terminal: sizes, times, and a progress line that rewrites itself on a TTY and is rare elsewhere.

const UNITS = ["B", "kB", "MB", "GB"] as const;
const TTY_INTERVAL_MS = 100;
const LOG_INTERVAL_MS = 5_000; // without a TTY each line stays in a log

export function formatBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power < 2 ? 0 : 1)} ${UNITS[power]}`;
}

export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Undefined where there is nothing to divide. */
export function formatRate(tokens: number, ms: number): string | undefined {
  return tokens > 0 && ms > 0 ? `${((tokens * 1000) / ms).toFixed(1)} tokens/s` : undefined;
}

export interface ProgressLine {
  update(bytes: number, total: number | undefined): void;
  /** Leaves the last state on screen and moves to the next line. */
  end(): void;
}

/** Shows `label  12.3 MB of 98.4 MB, 5.1 MB/s, 17 s left`; the rate is that of this run, without resumed bytes. */
export function createProgressLine(label: string, stream: NodeJS.WriteStream = process.stderr): ProgressLine {
  const interval = stream.isTTY ? TTY_INTERVAL_MS : LOG_INTERVAL_MS;
  let start: { time: number; bytes: number } | undefined;
  let shown = 0;
  let last = "";
  let lastShown = "";
  const show = () => {
    if (last === lastShown) return;
    stream.write(stream.isTTY ? `\r${last}\x1b[K` : `${last}\n`);
    lastShown = last;
  };
  return {
    update(bytes, total) {
      const now = performance.now();
      start ??= { time: now, bytes };
      last = describeProgress(label, bytes, total, bytes - start.bytes, (now - start.time) / 1000);
      if (now - shown < interval) return;
      shown = now;
      show();
    },
    end() {
      if (last === "") return;
      show();
      if (stream.isTTY) stream.write("\n");
    },
  };
}

export function describeProgress(
  label: string,
  bytes: number,
  total: number | undefined,
  freshBytes: number,
  seconds: number,
): string {
  const parts = [total === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(total)}`];
  const rate = seconds > 0 ? freshBytes / seconds : 0;
  if (rate > 0) {
    parts.push(`${formatBytes(rate)}/s`);
    if (total !== undefined && bytes < total) parts.push(`${formatSeconds((total - bytes) / rate)} left`);
  }
  return `${label}  ${parts.join(", ")}`;
}
