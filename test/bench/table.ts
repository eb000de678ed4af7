// The bench's outcome as Markdown.
import type { Outcome, Skipped } from "./contender.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  readonly chromium: string | undefined;
}

export function describeMachine({ cpu, cores, memoryBytes, system, node, chromium }: Machine): string {
  const browser = chromium === undefined ? "" : `, Chromium ${chromium}`;
  return `${cpu}, ${cores} cores, ${Math.round(memoryBytes / 2 ** 30)} GiB, ${system}, Node ${node}${browser}`;
}

export function speedTable(outcomes: readonly Outcome[]): string {
  const lengths = outcomes[0]?.median.prefill.map(({ tokens }) => tokens) ?? [];
  const head = [
    "",
    ...lengths.map((tokens) => `prefill ${tokens}, tok/s`),
    "decode, tok/s",
    "load, s",
    "peak heap, MB",
  ];
  const rows = outcomes.map(({ name, load, median }) => [
    `${name} (${load.adapter})`,
    ...median.prefill.map(({ perSecond }) => perSecond.toFixed(1)),
    median.decodePerSecond.toFixed(1),
    (load.loadMs / 1000).toFixed(1),
    load.peakHeapBytes === undefined ? "" : (load.peakHeapBytes / 1e6).toFixed(0),
  ]);
  return markdownTable(head, rows);
}

export function costTable(outcomes: readonly Outcome[]): string {
  const head = [
    "each decoded token",
    "dispatches",
    "passes",
    "submits",
    "GPU objects made",
    "JS recording, ms",
    "JS sampling, ms",
  ];
  const rows = outcomes.flatMap(({ name, load, median: { perToken } }) =>
    perToken === undefined
      ? []
      : [
          [
            `${name} (${load.adapter})`,
            ...[perToken.dispatches, perToken.passes, perToken.submits, perToken.objects].map(tidy),
            perToken.recordMs.toFixed(2),
            perToken.sampleMs.toFixed(2),
          ],
        ],
  );
  return markdownTable(head, rows);
}

export function skippedLines(skipped: readonly Skipped[]): string {
  return skipped.map(({ name, reason }) => `not measured: ${name}: ${reason}`).join("\n");
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, index) => (index === 0 ? "---" : "---:"));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Whole numbers as such. */
function tidy(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}
