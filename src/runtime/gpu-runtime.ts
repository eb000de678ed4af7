// The Runtime on WebGPU: plans a step on the CPU, and has it carried out as one compute pass. All buffers, pipelines and bind
// groups are made at load; a step makes none.
import { allEnded } from "../base/all-ended.ts";
import { EngineError, throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { sha256Hex } from "../base/sha256.ts";
import { createTurns, type Turns } from "../base/turns.ts";
import type { Gguf } from "../gguf/gguf.ts";
import type { Device } from "../gpu/device.ts";
import { createReadback } from "../gpu/readback.ts";
import { PAGE_LENGTH } from "../kernels/kv-layout.ts";
import { DEFAULT_PRECISION, type Precision } from "../kernels/precision.ts";
import { GPU_SAMPLING_STEPS } from "../kernels/sample-rows.ts";
import { buildGraph } from "../model/graph.ts";
import type { ModelSpec } from "../model/spec.ts";
import { allocateWeights } from "../model/weights.ts";
import { allocateMemory } from "./gpu-allocation.ts";
import { compileGraph } from "./gpu-graph.ts";
import {
  LOGIT_ROWS,
  type MemoryPlan,
  type MemoryRequest,
  planMemory,
  RESULT_WORDS,
  STEPS_IN_FLIGHT,
} from "./gpu-memory.ts";
import { createGpuSampler } from "./gpu-sampler.ts";
import { createStepRunner, type Pause, type StepParts } from "./gpu-step.ts";
import { idleTimeOf } from "./idle-time.ts";
import { createKvPages } from "./kv-pages.ts";
import { createLoadProgress, type LoadProgress, type LoadTimes } from "./load-progress.ts";
import { SUBMIT_MS } from "./pace.ts";
import type { Meanwhile, RowResult, Runtime, RuntimeInfo, SequenceId, StepBatch, StepResult } from "./runtime.ts";
import { planStep } from "./step-plan.ts";
import { chooseVariants, measureWhenIdle } from "./tuning/gpu-trials.ts";
import type { Tuner } from "./tuning/tuner.ts";

/** A CPU adapter takes as long for each further token, so that the wrong ones of a long draft cost more than the right ones save. */
const FALLBACK_DRAFT_ROWS = 8;

export interface GpuRuntimeOptions extends MemoryRequest {
  readonly device: Device;
  readonly model: Gguf;
  readonly spec: ModelSpec;
  /** What was planned before; absent: planned now, by the request's own numbers. */
  readonly memory?: MemoryPlan | undefined;
  /** Knows which variants of kernels to take, and measures for later sessions when nothing is to be done; absent: the seeds. */
  readonly tuner?: Tuner | undefined;
  /** Default: exact. */
  readonly precision?: Precision | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly onLoaded?: ((times: LoadTimes) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads the weights and compiles every operation. Where the device has no room for all pages that were planned, it takes half.
 * @throws EngineError `out_of_memory`, `device_lost`, `aborted`, `unsupported_format`, and what the model's source throws
 */
export function createGpuRuntime(options: GpuRuntimeOptions): Promise<Runtime> {
  return idleTimeOf(options.device).busy(() => load(options));
}

async function load(options: GpuRuntimeOptions): Promise<Runtime> {
  const { device, model, spec, precision = DEFAULT_PRECISION, tuner, onProgress, signal } = options;
  throwIfAborted(signal);
  const start = performance.now();
  const planned = options.memory ?? planMemory(device, spec, options);
  const graphs = [buildGraph(spec, "prefill"), buildGraph(spec, "decode")] as const;
  const cleanups: (() => void)[] = [];
  const release = () => {
    for (const cleanup of cleanups.splice(0).reverse()) cleanup();
  };

  try {
    const weights = await allocateWeights(device, model, graphs);
    cleanups.push(weights.free);
    const { state, logitReads, free } = await allocateMemory(device, spec, planned);
    cleanups.push(free);
    const { memory } = state;
    const { maxRows, maxSequences, contextLength } = memory;

    const opCount = graphs.reduce((sum, { ops }) => sum + ops.length, 0);
    const progress = createLoadProgress({ bytes: weights.stream.bytes, operations: opCount }, onProgress);
    const failed = new AbortController();
    const stopped = AbortSignal.any([failed.signal, ...(signal ? [signal] : [])]);
    const upload = async () => {
      const times = await weights.stream.run(progress.uploaded, stopped);
      state.writeRopeTable(spec.rope.factors && weights.vectors.factors(spec.rope.factors));
      return times;
    };
    const site = { device, precision, weights, state };
    const compile = async () => {
      const { variants, description } = await chooseVariants(site, graphs, tuner);
      throwIfAborted(stopped);
      const compileStart = performance.now();
      const graphsCompiled = allEnded(
        graphs.map(async (graph) => {
          const compiled = await compileGraph(device, graph, weights, state, variants, progress.compiledOne);
          cleanups.push(compiled.free);
          return compiled;
        }),
      );
      const [compiled, sampling] = await allEnded([graphsCompiled, openSampling()] as const);
      return { compiled, sampling, variants: description, compileMs: performance.now() - compileStart };
    };
    const openSampling = async () => {
      const results = state.sampled;
      if (!results) return undefined;
      const sampler = await createGpuSampler(device, spec.vocabSize, LOGIT_ROWS, {
        logits: state.logits,
        rows: state.step.samples,
        entries: state.step.entries,
        results,
      });
      cleanups.push(sampler.free);
      const reads = await createReadback(device, RESULT_WORDS * 4, STEPS_IN_FLIGHT);
      cleanups.push(reads.dispose);
      return { sampler, results, reads };
    };
    const [times, { compiled, sampling, variants, compileMs }] = await allEnded([upload(), compile()] as const, () =>
      failed.abort(),
    );
    const [prefill, decode] = compiled;
    throwIfAborted(signal);
    const stages = { prefill: prefill!, decode: decode! };
    const info: RuntimeInfo = {
      vocabSize: spec.vocabSize,
      contextLength,
      maxSequences,
      pageLength: PAGE_LENGTH,
      maxRows,
      draftRows: device.adapter.isFallback ? FALLBACK_DRAFT_ROWS : maxRows.decode,
      stepsInFlight: sampling ? STEPS_IN_FLIGHT : 1,
      samplingSteps: sampling ? GPU_SAMPLING_STEPS : [],
      capabilities: new Set(["logits", "match", "sample", "verify", ...(sampling ? (["sampledBy"] as const) : [])]),
      fingerprint: {
        adapter: Object.values(device.adapter).join("/"),
        kernels: await sha256Hex(
          [...prefill!.sources, ...decode!.sources, ...(sampling?.sampler.sources ?? [])].join("\0"),
        ),
        variants,
        precision,
        kv: memory.kv.format.name,
      },
    };
    const turns = createTurns();
    const runtime = assemble(device, info, memory, { state, logitReads, stages, sampling }, turns, release);
    if (tuner) {
      const disposed = new AbortController();
      cleanups.push(() => disposed.abort());
      measureWhenIdle(site, graphs, tuner, turns, disposed.signal);
    }
    options.onLoaded?.({ ...times, compileMs, readyMs: performance.now() - start });
    return runtime;
  } catch (error) {
    release();
    throw error;
  }
}

function assemble(
  device: Device,
  info: RuntimeInfo,
  { kv: { pageCount, pageBytes, layerPageBytes }, step }: MemoryPlan,
  parts: StepParts,
  /** Steps take effect in call order: each is recorded when the one before it was submitted, or pauses. */
  turns: Turns,
  release: () => void,
): Runtime {
  const kv = createKvPages({ pageCount, maxSequences: info.maxSequences, pageBytes });
  const idle = idleTimeOf(device);
  const runner = createStepRunner(device, info.vocabSize, layerPageBytes, parts, check);
  const kernels = parts.sampling && { entries: step.entries, tokensAt: RESULT_WORDS };
  let disposed = false;
  /** All steps that were submitted have settled: they do so in their order. */
  let settled: Promise<unknown> = Promise.resolve();
  /** Of prefills that pause: nothing else may be done with them. */
  const paused = new Set<SequenceId>();

  function check(): void {
    if (disposed) throw disposedError();
    device.check();
  }

  async function submit(
    batch: StepBatch,
    signal?: AbortSignal,
    meanwhile?: Meanwhile,
  ): Promise<{ readonly results: Promise<RowResult[]> }> {
    let leave = await turns.enter();
    try {
      check();
      // A token that the kernels could not draw is known when its step has settled.
      if (batch.rows.some(({ sequence, input }) => "sampledBy" in input && !kv.drawn(sequence)?.place)) {
        await settled;
        check();
      }
      for (const { sequence } of batch.rows) invariant(!paused.has(sequence), `sequence ${sequence} is in a step`);
      const plan = planStep(batch, kv, info, signal, kernels);
      const wait = async () => {
        if (!meanwhile) return; // whoever has asked for the next step gets it after this one
        for (const { sequence } of batch.rows) paused.add(sequence);
        leave();
        await meanwhile.run();
        leave = await turns.enter();
        for (const { sequence } of batch.rows) paused.delete(sequence);
      };
      const submitted = await runner.submit(batch.stage, plan, pauseOf(batch.stage, wait, meanwhile));
      const results = settled.then(() => submitted.results());
      settled = results.catch(() => {});
      return { results };
    } finally {
      leave();
    }
  }

  /** Where nobody waits, a CPU adapter has nothing to draw in between either. */
  function pauseOf(stage: StepBatch["stage"], wait: Pause["wait"], meanwhile?: Meanwhile): Pause | undefined {
    if (stage === "decode" || (!meanwhile && device.adapter.isFallback)) return undefined;
    return { everyMs: Math.max(SUBMIT_MS, meanwhile?.patienceMs ?? 0), wait };
  }

  /** What a failed wait means: after dispose() every wait fails, whatever it says. */
  function explain(error: unknown): unknown {
    return disposed ? disposedError() : error;
  }

  return {
    info,
    lost: device.lost,
    open() {
      check();
      return kv.open() as SequenceId;
    },
    async match(ids, search) {
      check();
      await turns.passed(); // what earlier steps hold is known when they are recorded
      check();
      const { sequence, length } = kv.match(ids, search);
      return { sequence: sequence as SequenceId, length };
    },
    async step(batch, signal, meanwhile) {
      check();
      try {
        const rows = await idle.busy(async () => (await submit(batch, signal, meanwhile)).results);
        check();
        throwIfAborted(signal);
        return { rows } satisfies StepResult;
      } catch (error) {
        throw explain(error);
      }
    },
    async fork(sequence) {
      check();
      await turns.passed();
      return kv.fork(sequence) as SequenceId;
    },
    async rewind(sequence, length) {
      check();
      await turns.passed();
      kv.rewind(sequence, length);
      return length;
    },
    free(sequence) {
      // Pages that a submitted step still reads may be taken anew at once: the queue writes them after it.
      if (!disposed && kv.has(sequence)) kv.free(sequence);
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      release();
    },
  };
}

function disposedError(): EngineError<"disposed"> {
  return new EngineError("disposed", "The runtime was disposed; load the model again.");
}
