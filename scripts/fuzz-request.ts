// `npm run fuzz:request -- [--count N] [--seed S]`: seeded requests, right and wrong, to a scripted engine. Prints how they
// ended; a request that ends neither in a sound answer nor in a typed refusal is printed at its least, and the exit code is 1.
import { parseArgs } from "node:util";
import { fuzzRequests } from "../test/fuzz/fuzz-requests.ts";
import { CommandError } from "./command-error.ts";

const DEFAULT_COUNT = 100_000;
/** Requests between two lines of progress. */
const BATCH = 5000;

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { count: { type: "string" }, seed: { type: "string" } } });
  const count = wholeNumber("count", values.count ?? String(DEFAULT_COUNT));
  const seed = wholeNumber("seed", values.seed ?? String(Date.now() % 2 ** 31));
  const start = performance.now();
  const refused = new Map<string, number>();
  let accepted = 0;
  let done = 0;
  let failed = 0;
  console.log(`seed ${seed}`);
  while (done < count && failed === 0) {
    const first = done;
    const summary = await fuzzRequests({ seed, first, count: Math.min(BATCH, count - first) });
    accepted += summary.accepted;
    done += summary.accepted;
    for (const [code, times] of summary.refused) {
      refused.set(code, (refused.get(code) ?? 0) + times);
      done += times;
    }
    failed = summary.failures.length;
    for (const { index, fault, request } of summary.failures)
      console.log(`\nrequest ${index} of seed ${seed}: ${fault}\n${request}`);
    const seconds = (performance.now() - start) / 1000;
    console.log(
      `${done} requests, ${accepted} accepted (${percent(accepted / done)}), ${Math.round(done / seconds)}/s`,
    );
  }
  for (const [code, times] of [...refused].sort((a, b) => b[1] - a[1])) console.log(`  ${times} × ${code}`);
  if (failed > 0) throw new CommandError(`${failed} requests ended in neither an answer nor a typed refusal.`);
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CommandError(`--${name} takes a whole number below a billion, not '${text}'.`);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
