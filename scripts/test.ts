// `npm test`: types, lint, unit, gpu, browser, size. Installs what the tests need where it can, says what could not run and
// why, goes on after a failure, and ends with `N passed, N failed, N skipped`.
import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { typeScriptCommand } from "./build.ts";
import { CommandError } from "./command-error.ts";
import { listCpuDrivers, openDawn } from "./dawn.ts";
import { PROJECT_ROOT } from "./default-model.ts";
import { fetchModel } from "./fetch-model.ts";
import { prepareMachine } from "./install-browser.ts";
import { interruptSignal } from "./interrupt.ts";
import { formatSeconds } from "./terminal.ts";
import { addCounts, type Counts, readVitestCounts } from "./test-report.ts";

const REPORTS = join(PROJECT_ROOT, ".cache/test-reports");
const STAGES = ["types", "lint", "unit", "gpu", "browser", "size"] as const;
type Stage = (typeof STAGES)[number];

export async function main(args: string[]): Promise<void> {
  const unknown = args.find((name) => !STAGES.includes(name as Stage));
  if (unknown !== undefined) throw new CommandError(`no stage "${unknown}"; there are ${STAGES.join(", ")}`);
  const stages = STAGES.filter((stage) => args.length === 0 || args.includes(stage));
  const signal = interruptSignal();

  const notes: string[] = [];
  const note = (line: string) => notes.push(line);
  if (stages.includes("gpu") || stages.includes("browser")) await prepare(note, signal);

  let total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const summary: string[] = [];
  for (const stage of stages) {
    if (signal.aborted) throw new CommandError("stopped");
    console.log(`\n== ${stage}`);
    const start = performance.now();
    const counts = await runStage(stage, note);
    total = addCounts(total, counts);
    const seconds = formatSeconds((performance.now() - start) / 1000);
    summary.push(`${stage.padEnd(8)} ${describeCounts(counts)}  (${seconds})`);
  }

  console.log(`\n== summary\n${summary.join("\n")}`);
  for (const line of notes) console.log(`not run: ${line}`);
  console.log(describeCounts(total));
  if (total.failed > 0) process.exitCode = 1;
}

/** Browser, drivers and model; whatever cannot be had is noted, and the tests that need it skip themselves. */
async function prepare(note: (line: string) => void, signal: AbortSignal): Promise<void> {
  for (const line of prepareMachine().missing) note(line);
  for (const { name, manifest, install } of listCpuDrivers()) {
    if (manifest === undefined) note(`GPU tests on ${name}: ${install}`);
  }
  await fetchModel({ signal }).catch((error: Error) => note(`tests with the default model: ${error.message}`));
}

async function runStage(stage: Stage, note: (line: string) => void): Promise<Counts> {
  switch (stage) {
    case "types":
      return one(await run([typeScriptCommand(), "--noEmit"]));
    case "lint":
      return one(await run([packageCommand("@biomejs/biome", "biome"), "check", "."]));
    case "gpu": {
      const obstacle = await openDawn().then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (obstacle === undefined) return runVitest("gpu");
      note(`gpu: ${obstacle}`);
      return { passed: 0, failed: 0, skipped: 1 };
    }
    case "unit":
    case "browser":
      return runVitest(stage);
    case "size":
      return one(await run([join(PROJECT_ROOT, "scripts/run.mjs"), "size"]));
    default:
      return stage satisfies never;
  }
}

async function runVitest(project: string): Promise<Counts> {
  mkdirSync(REPORTS, { recursive: true });
  const report = join(REPORTS, `${project}.json`);
  rmSync(report, { force: true });
  const command = packageCommand("vitest", "vitest");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const exitCode = await run([command, "run", "--project", project, ...reporters]);
  return readVitestCounts(report, exitCode);
}

function run(args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: PROJECT_ROOT, stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

function one(exitCode: number): Counts {
  return { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, skipped: 0 };
}

/** Path of a package's command, which is a script for Node. */
function packageCommand(name: string, command: string): string {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve(`${name}/package.json`);
  return join(dirname(manifest), require(manifest).bin[command]);
}

function describeCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
