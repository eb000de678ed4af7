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

/** A row for each figure, a column for each contender. */
export function speedTable(outcomes: readonly Outcome[]): string {
  const names = [...new Set(outcomes.flatMap(({ median }) => Object.keys(median.figures)))];
  const rows = names.map((name) => [
    name,
    ...outcomes.map(({ median: { figures } }) => (name in figures ? rounded(figures[name]!) : "")),
  ]);
  const seconds = (ms: number | undefined) => (ms === undefined ? "" : rounded(ms / 1000));
  const load = outcomes.map(({ load }) => load);
  rows.push(
    ["load, s", ...load.map(({ loadMs }) => seconds(loadMs))],
    ["- reading", ...load.map(({ parts }) => seconds(parts?.readMs))],
    ["- repacking", ...load.map(({ parts }) => seconds(parts?.repackMs))],
    ["- uploading", ...load.map(({ parts }) => seconds(parts?.uploadMs))],
    ["- compiling, beside these", ...load.map(({ parts }) => seconds(parts?.compileMs))],
    ["peak heap, MB", ...load.map(({ peakHeapBytes: peak }) => (peak === undefined ? "" : (peak / 1e6).toFixed(0)))],
  );
  return markdownTable(["", ...outcomes.map(({ name, load: { adapter } }) => `${name} (${adapter})`)], rows);
}

export function costTable(outcomes: readonly Outcome[]): string {
  const head = [
    "each decoded token",
    "dispatches",
    "passes",
    "submits",
    "GPU objects made",
    "bytes read",
    "JS recording, ms",
    "JS sampling, ms",
  ];
  const rows = outcomes.flatMap(({ name, load, median: { perToken } }) =>
    perToken === undefined
      ? []
      : [
          [
            `${name} (${load.adapter})`,
            ...[perToken.dispatches, perToken.passes, perToken.submits, perToken.objects, perToken.readBytes].map(tidy),
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

function rounded(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(1);
}

/** Whole numbers as such. */
function tidy(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}
