// The Runtime on WebGPU: plans a step on the CPU, records it as one compute pass, submits, and reads the wanted logits
// back. All buffers, pipelines and bind groups are made at load; a step makes none.
import { allEnded } from "../base/all-ended.ts";
import { EngineError, throwIfAborted } from "../base/errors.ts";
import type { Gguf } from "../gguf/gguf.ts";
import type { Device } from "../gpu/device.ts";
import { createReadback, type PendingRead, type Readback } from "../gpu/readback.ts";
import { record } from "../gpu/recorder.ts";
import { PAGE_LENGTH } from "../kernels/kv-layout.ts";
import { buildGraph } from "../model/graph.ts";
import type { ModelSpec } from "../model/spec.ts";
import { allocateWeights } from "../model/weights.ts";
import { type CompiledGraph, compileGraph } from "./gpu-graph.ts";
import {
  KV_FORMAT,
  type KvPlan,
  LOGIT_ROWS,
  type MemoryPlan,
  type MemoryRequest,
  planMemory,
  READS_IN_FLIGHT,
} from "./gpu-memory.ts";
import { allocateState, type GpuState } from "./gpu-state.ts";
import { createKvPages, type PageCopy } from "./kv-pages.ts";
import type { Runtime, RuntimeInfo, SequenceId, StepBatch, StepId, StepResult } from "./runtime.ts";
import { dealLogits, planStep, type StepPlan } from "./step-plan.ts";
import { chooseVariants } from "./tuning/gpu-trials.ts";
import type { Tuner } from "./tuning/tuner.ts";

export interface GpuRuntimeOptions extends MemoryRequest {
  readonly device: Device;
  readonly model: Gguf;
  readonly spec: ModelSpec;
  /** What was planned before; absent: planned now, by the request's own numbers. */
  readonly memory?: MemoryPlan | undefined;
  /** Measures which variants of kernels to take; absent: the seeds of the adapter. */
  readonly tuner?: Tuner | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of weights on the GPU; then, counted by the same names, ops compiled. */
export interface LoadProgress {
  readonly phase: "upload" | "compile";
  readonly bytes: number;
  readonly total: number;
}

/**
 * Loads the weights and compiles every operation.
 * @throws EngineError `out_of_memory`, `device_lost`, `aborted`, `unsupported_format`, and what the model's source throws
 */
export async function createGpuRuntime(options: GpuRuntimeOptions): Promise<Runtime> {
  const { device, model, spec, onProgress, signal } = options;
  throwIfAborted(signal);
  const memory = options.memory ?? planMemory(device, spec, options);
  const { maxRows, maxSequences, contextLength } = memory;
  const graphs = [buildGraph(spec, "prefill"), buildGraph(spec, "decode")] as const;
  const cleanups: (() => void)[] = [];
  const release = () => {
    for (const cleanup of cleanups.splice(0).reverse()) cleanup();
  };

  try {
    const weights = await allocateWeights(device, model, graphs);
    cleanups.push(weights.free);
    const state = await allocateState(device, spec, memory);
    cleanups.push(state.free);
    const readback = await createReadback(device, memory.scratch.readback, READS_IN_FLIGHT);
    cleanups.push(readback.dispose);

    await weights.stream((bytes) => onProgress?.({ phase: "upload", bytes, total: weights.fileBytes }), signal);
    state.writeRopeTable(spec.rope.factors && weights.vector(spec.rope.factors));
    const { variants, description } = await chooseVariants({ device, weights, state }, graphs, options.tuner, signal);
    const opCount = graphs.reduce((sum, { ops }) => sum + ops.length, 0);
    let compiledOps = 0;
    const onCompiled = () => onProgress?.({ phase: "compile", bytes: ++compiledOps, total: opCount });
    const [prefill, decode] = await allEnded(
      graphs.map(async (graph) => {
        const compiled = await compileGraph(device, graph, weights, state, variants, onCompiled);
        cleanups.push(compiled.free);
        return compiled;
      }),
    );
    throwIfAborted(signal);
    const stages = { prefill: prefill!, decode: decode! };
    const info: RuntimeInfo = {
      vocabSize: spec.vocabSize,
      contextLength,
      maxSequences,
      pageLength: PAGE_LENGTH,
      maxRows,
      samplingSteps: [],
      capabilities: new Set(["logits", "match"]),
      fingerprint: {
        adapter: Object.values(device.adapter).join("/"),
        kernels: await digest([...prefill!.sources, ...decode!.sources]),
        variants: description,
        kv: KV_FORMAT,
      },
    };
    return assemble(device, info, memory.kv, { state, readback, stages, release });
  } catch (error) {
    release();
    throw error;
  }
}

interface Parts {
  readonly state: GpuState;
  readonly readback: Readback;
  readonly stages: Readonly<Record<StepBatch["stage"], CompiledGraph>>;
  readonly release: () => void;
}

function assemble(device: Device, info: RuntimeInfo, kvPlan: KvPlan, parts: Parts): Runtime {
  const { state, readback, stages, release } = parts;
  const { pageCount, pageBytes } = kvPlan;
  const kv = createKvPages({ pageCount, maxSequences: info.maxSequences, pageBytes });
  let disposed = false;
  let stepCount = 0;
  /** Steps take effect in call order: each is recorded when the one before it was submitted. */
  let tail: Promise<unknown> = Promise.resolve();

  function check(): void {
    if (disposed) throw disposedError();
    device.check();
  }

  /** Records and submits everything; resolves when the last submission is on its way, with the reads still pending. */
  async function submit(batch: StepBatch, signal?: AbortSignal): Promise<{ plan: StepPlan; reads: PendingRows[] }> {
    check();
    const graph = stages[batch.stage];
    const plan = planStep(batch, kv, info, signal);
    copyPages(plan.copies);
    const wantedCount = plan.wanted.length;
    const reads: PendingRows[] = [];
    for (let from = 0; from === 0 || from < wantedCount; from += LOGIT_ROWS) {
      const to = Math.min(from + LOGIT_ROWS, wantedCount);
      if (to > from) {
        await readSlot();
        check();
      }
      if (from === 0) state.step.writeStep(plan, to);
      else state.step.writeWanted(plan, from, to);
      const recorder = record(device);
      if (from === 0) graph.recordBody(recorder, plan);
      if (to === from) {
        recorder.submit();
      } else {
        graph.recordHead(recorder, to - from);
        const pending = readback.copy(recorder, state.slots.logits, (to - from) * info.vocabSize * 4);
        try {
          recorder.submit();
        } catch (error) {
          pending.cancel();
          throw error;
        }
        reads.push({ rows: to - from, bytes: startRead(pending) });
      }
    }
    return { plan, reads };
  }

  /** A buffer cannot be copied onto itself, and copies must come before the pass: one submission of their own, and rare. */
  function copyPages(copies: readonly PageCopy[]): void {
    if (copies.length === 0) return;
    const { layerPageBytes } = kvPlan;
    const recorder = record(device);
    for (const { from, to } of copies) {
      for (const layer of state.kv) {
        recorder.copy({ buffer: layer.buffer, offset: from * layerPageBytes }, state.pageScratch, layerPageBytes);
        recorder.copy(state.pageScratch, { buffer: layer.buffer, offset: to * layerPageBytes }, layerPageBytes);
      }
    }
    recorder.submit();
  }

  let freed: (() => void) | undefined;
  async function readSlot(): Promise<void> {
    while (readback.free === 0) {
      await new Promise<void>((resolve) => {
        freed = resolve;
      });
    }
  }
  function startRead(pending: PendingRead): Promise<ArrayBuffer> {
    const bytes = pending.read();
    const wake = () => freed?.();
    bytes.then(wake, wake);
    return bytes;
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
      await tail; // what earlier steps hold is known when they are recorded
      check();
      const { sequence, length } = kv.match(ids, search);
      return { sequence: sequence as SequenceId, length };
    },
    async step(batch, signal) {
      check();
      const step = ++stepCount as StepId;
      const submitted = tail.then(() => submit(batch, signal));
      tail = submitted.catch(() => {});
      try {
        const { plan, reads } = await submitted;
        const logits: Float32Array[] = [];
        for (const { rows, bytes } of reads) {
          const values = new Float32Array(await bytes);
          for (let row = 0; row < rows; row++) {
            logits.push(values.slice(row * info.vocabSize, (row + 1) * info.vocabSize));
          }
        }
        // Without a read nothing has waited for the GPU yet, and the caller's next look at its signal would come too early.
        if (reads.length === 0) await device.gpu.queue.onSubmittedWorkDone();
        check();
        throwIfAborted(signal);
        return { step, rows: dealLogits(plan, logits) } satisfies StepResult;
      } catch (error) {
        throw explain(error);
      }
    },
    async fork(sequence) {
      check();
      await tail;
      return kv.fork(sequence) as SequenceId;
    },
    async rewind(sequence, length) {
      check();
      await tail;
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

interface PendingRows {
  readonly rows: number;
  readonly bytes: Promise<ArrayBuffer>;
}

function disposedError(): EngineError<"disposed"> {
  return new EngineError("disposed", "The runtime was disposed; load the model again.");
}

/** SHA-256 over texts, in hex. */
async function digest(texts: readonly string[]): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(texts.join("\0")));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
