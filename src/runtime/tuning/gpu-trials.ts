// Trials on the GPU: the ops of a class compiled in one of its variants, with the model's own weights and buffers. They overwrite
// activations, and so have to be alone with the runtime.
import { allEnded } from "../../base/all-ended.ts";
import { throwIfAborted } from "../../base/errors.ts";
import type { Turns } from "../../base/turns.ts";
import type { Device } from "../../gpu/device.ts";
import type { Dispatch } from "../../gpu/kernel.ts";
import { createReadback } from "../../gpu/readback.ts";
import { record } from "../../gpu/recorder.ts";
import { columnsInSum } from "../../kernels/mat-vec-residual.ts";
import type { KernelFacts, Precision } from "../../kernels/precision.ts";
import type { Graph, Op, Slot } from "../../model/graph.ts";
import type { Weights } from "../../model/weights.ts";
import { compileOp, openCompiler } from "../gpu-graph.ts";
import type { GpuState } from "../gpu-state.ts";
import { idleTimeOf } from "../idle-time.ts";
import type { Trial, TuneOptions, TuningTask } from "./tune.ts";
import type { Tuner, TuningSubject } from "./tuner.ts";
import { tuningKey } from "./tuning-key.ts";
import {
  candidatesOf,
  classesOf,
  describeVariants,
  type KernelClass,
  maxDifferenceOf,
  type Variants,
  variantsFor,
} from "./variants.ts";

export interface TuningSite {
  readonly device: Device;
  readonly precision: Precision;
  readonly weights: Weights;
  readonly state: GpuState;
}

interface TrialSite extends TuningSite {
  /** Throws where nothing may be submitted any more. */
  readonly check: () => void;
}

/** Rows of a prefill step in a trial: enough to fill a GPU, little enough for a pass to be short. */
const PREFILL_ROWS = 128;
/** Runs go round so many weights of a class, as in a step: one layer's alone might stay in a cache. */
const WEIGHTS_IN_TURN = 128e6;

export interface ChosenVariants {
  readonly variants: Variants;
  /** For the fingerprint: the variant of every class. */
  readonly description: string;
}

/** How a model's kernels are built here: as the tuner knows, else by the adapter's seeds. */
export async function chooseVariants(
  site: TuningSite,
  graphs: readonly Graph[],
  tuner: Tuner | undefined,
): Promise<ChosenVariants> {
  const adapter = factsOf(site);
  const classes = classesOf(graphs, site.weights);
  const choices = (await tuner?.choose(subjectOf(site, classes, tuner))) ?? {};
  return { variants: variantsFor(adapter, choices), description: describeVariants(adapter, classes, choices) };
}

/**
 * Measures for later sessions what nobody has measured, whenever the device has nothing to do.
 * @param turns those of the runtime's steps
 * @param disposed fires when the runtime's memory goes
 */
export function measureWhenIdle(
  site: TuningSite,
  graphs: readonly Graph[],
  tuner: Tuner,
  turns: Turns,
  disposed: AbortSignal,
): void {
  const { device } = site;
  const check = () => {
    device.check(); // first, since a runtime is disposed of when its device is lost
    throwIfAborted(disposed);
  };
  const alone: TuneOptions["alone"] = async (work) => {
    try {
      return await idleTimeOf(device).run(turns, work, disposed);
    } catch (error) {
      device.check();
      throw error;
    }
  };
  const taskOf = (kernels: KernelClass) => tuningTask({ ...site, check }, kernels);
  // Nobody waits for it: what it fails at keeps its seed.
  tuner.measure(subjectOf(site, classesOf(graphs, site.weights), tuner), { taskOf, alone }).catch(() => {});
}

function subjectOf(site: TuningSite, classes: readonly KernelClass[], { platform }: Tuner): TuningSubject {
  const adapter = factsOf(site);
  return { adapter, key: () => tuningKey(site.device, adapter, platform), classes };
}

function factsOf({ device, precision }: Pick<TuningSite, "device" | "precision">): KernelFacts {
  return { ...device.adapter, precision };
}

function tuningTask(site: TrialSite, kernels: KernelClass): TuningTask {
  const facts = factsOf(site);
  return {
    name: kernels.name,
    variants: candidatesOf(kernels, facts),
    maxDifference: (variant) => maxDifferenceOf(kernels, facts, variant),
    prepare: (variant) => prepareTrial(site, kernels, variant),
  };
}

async function prepareTrial(site: TrialSite, kernels: KernelClass, variant: string): Promise<Trial> {
  const { state } = site;
  const { graph } = kernels;
  const variants = variantsFor(factsOf(site), { [kernels.name]: variant });
  const { compiler, free } = openCompiler({ ...site, graph, variants }, () => {});
  try {
    const indices = opsInTurn(kernels);
    const operations = await allEnded(indices.map((index) => compileOp(compiler, index)));
    const rows = kernels.family === "mat-vec" ? 1 : Math.min(PREFILL_ROWS, state.memory.maxRows.prefill);
    const runs = operations.map((ofOp) => {
      const dispatches = ofOp.map((operation) => operation.dispatch({ rows, longest: 0 }));
      return dispatches.filter((dispatch) => dispatch !== undefined);
    });
    return trialOf(site, graph, indices, rows, runs, free);
  } catch (error) {
    free();
    throw error;
  }
}

/** The first of each kind of op, whose kernels differ, then as many more as it takes. */
function opsInTurn({ graph, ops, opWeights }: KernelClass): readonly number[] {
  const firsts = firstOfEachKind(graph, ops);
  const rest = ops.filter((index) => !firsts.includes(index));
  return [...firsts, ...rest].slice(0, Math.max(firsts.length, Math.ceil(WEIGHTS_IN_TURN / opWeights)));
}

function firstOfEachKind(graph: Graph, indices: readonly number[]): readonly number[] {
  const firsts = new Map<string, number>();
  for (const index of indices) {
    const op = graph.ops[index]!;
    const kind = op.op === "linear" && op.residual ? "residual" : op.op;
    if (!firsts.has(kind)) firsts.set(kind, index);
  }
  return [...firsts.values()];
}

function trialOf(
  site: TrialSite,
  graph: Graph,
  indices: readonly number[],
  rows: number,
  runs: readonly (readonly Dispatch[])[],
  free: () => void,
): Trial {
  const { device } = site;
  let next = 0;
  return {
    async output() {
      const parts: Float32Array[] = [];
      for (const index of firstOfEachKind(graph, indices))
        parts.push(await outputsOf(site, graph, graph.ops[index]!, rows, runs[indices.indexOf(index)]!));
      return joined(parts);
    },
    async run(repeats) {
      site.check();
      const recorder = record(device);
      for (let i = 0; i < repeats; i++) recorder.replay(runs[next++ % runs.length]!);
      recorder.submit();
      await device.gpu.queue.onSubmittedWorkDone().catch(async (cause: unknown) => {
        throw await device.explain(cause);
      });
      site.check();
    },
    free,
  };
}

/** Numbers that look like activations; of the stream's norm, what belongs to a mean square of 1. */
function writeInputs(device: Device, state: GpuState, graph: Graph, op: Op, rows: number): void {
  device.buffers.write(state.step.step, Uint32Array.of(rows, rows, 0, 0));
  device.buffers.write(state.step.wanted, Uint32Array.of(0), state.step.wanted.offset); // or the last step's
  const { widths } = graph;
  const inputs: Slot[] = ["residual", "normed", ...("input" in op ? [op.input] : [])];
  for (const slot of new Set(inputs))
    device.buffers.write(state.slots[graph.stage][slot], scattered(rows * widths[slot]));
  // Of one row: what lies behind a row's last sum has to stay zero. Prefill reads none.
  const inSum = columnsInSum(device.adapter.isFallback);
  if (widths.squares > 0)
    device.buffers.write(
      state.slots[graph.stage].squares,
      new Float32Array(Math.ceil(widths.residual / inSum)).fill(inSum),
    );
}

/** In [-1, 1), the same each time: multiples of the golden ratio, which lie evenly and follow no pattern of a matrix. */
function scattered(length: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length); // millions: a callback for each would hold a worker's thread for a while
  for (let index = 0; index < length; index++) values[index] = Math.imul(index + 1, 0x9e3779b1) / 2 ** 31;
  return values;
}

async function outputsOf(
  { device, state, check }: TrialSite,
  graph: Graph,
  op: Op,
  rows: number,
  run: readonly Dispatch[],
): Promise<Float32Array> {
  const output = "output" in op ? op.output : "residual";
  // Decode's products for the residual stream leave more than that.
  const slots: Slot[] =
    output === "residual" && graph.stage === "decode" ? ["residual", "normed", "squares"] : [output];
  const lengths = slots.map((slot) => rows * graph.widths[slot]);
  const readback = await createReadback(device, Math.max(...lengths) * 4, slots.length);
  try {
    check();
    writeInputs(device, state, graph, op, rows);
    const recorder = record(device);
    recorder.replay(run);
    const reads = slots.map((slot, i) => readback.copy(recorder, state.slots[graph.stage][slot], lengths[i]! * 4));
    recorder.submit();
    const parts = await allEnded(reads.map((pending) => pending.read()));
    return joined(parts.map((bytes) => new Float32Array(bytes)));
  } finally {
    readback.dispose();
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const values = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part, at);
    at += part.length;
  }
  return values;
}
