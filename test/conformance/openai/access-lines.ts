// How requests to `npm run serve` have ended, as its access lines tell.

/** @returns a finish reason or an error's code; `ok` for what has neither */
export function endOfLine(line: string): string {
  return /, (\w+), req_\w+$/.exec(line)?.[1] ?? "ok";
}
