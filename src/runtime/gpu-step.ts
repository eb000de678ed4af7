// Carries out planned steps on the GPU: records, submits and reads back. A step makes no object.
import type { Device } from "../gpu/device.ts";
import type { Dispatch } from "../gpu/kernel.ts";
import type { PendingRead, Readback } from "../gpu/readback.ts";
import { type BufferRange, record } from "../gpu/recorder.ts";
import { readSampleResult, SAMPLE_RESULT_WORDS } from "../kernels/sample-rows.ts";
import type { Sampled } from "../sampling/sampler.ts";
import type { CompiledGraph } from "./gpu-graph.ts";
import { LOGIT_ROWS } from "./gpu-memory.ts";
import type { GpuSampler } from "./gpu-sampler.ts";
import type { GpuState } from "./gpu-state.ts";
import type { PageCopy } from "./kv-pages.ts";
import { createPace } from "./pace.ts";
import type { RowResult, StepBatch } from "./runtime.ts";
import { dealRows, type StepPlan } from "./step-plan.ts";

export interface StepParts {
  readonly state: GpuState;
  readonly stages: Readonly<Record<StepBatch["stage"], CompiledGraph>>;
  /** LOGIT_ROWS rows of logits a slot. */
  readonly logitReads: Readback;
  readonly sampling: Sampling | undefined;
}

export interface Sampling {
  readonly sampler: GpuSampler;
  readonly results: BufferRange;
  /** LOGIT_ROWS results a slot. */
  readonly reads: Readback;
}

/** A step that was submitted. */
export interface SubmittedStep {
  /** Waits for the GPU. To be called once all steps before have settled. @throws EngineError `device_lost`, `disposed` */
  results(): Promise<RowResult[]>;
}

export interface StepRunner {
  /**
   * Resolves when the last submission is on its way.
   * @param pause given, the body is submitted in parts, and waited for between them
   * @throws EngineError `device_lost`, `disposed`
   */
  submit(stage: StepBatch["stage"], plan: StepPlan, pause?: Pause): Promise<SubmittedStep>;
}

export interface Pause {
  /** How long a part is to take, in milliseconds. */
  readonly everyMs: number;
  /** Others may submit steps until it resolves. */
  wait(): Promise<void>;
}

/** @param check throws where nothing may be submitted any more */
export function createStepRunner(
  device: Device,
  vocabSize: number,
  layerPageBytes: number,
  { state, stages, logitReads, sampling }: StepParts,
  check: () => void,
): StepRunner {
  /** A buffer cannot be copied onto itself, and copies must come before the pass: one submission of their own, and rare. */
  function copyPages(copies: readonly PageCopy[]): void {
    if (copies.length === 0) return;
    const recorder = record(device);
    for (const { from, to } of copies) {
      for (const layer of state.kv) {
        recorder.copy({ buffer: layer.buffer, offset: from * layerPageBytes }, state.pageScratch, layerPageBytes);
        recorder.copy(state.pageScratch, { buffer: layer.buffer, offset: to * layerPageBytes }, layerPageBytes);
      }
    }
    recorder.submit();
  }

  const pace = createPace();

  let freed: (() => void) | undefined;
  async function readSlots(): Promise<void> {
    while (logitReads.free === 0 || sampling?.reads.free === 0) {
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

  /** All of the body but its last part, for which the head does not have to wait. */
  async function submitInParts(plan: StepPlan, body: readonly Dispatch[], pause: Pause): Promise<readonly Dispatch[]> {
    let rest = body;
    for (;;) {
      const count = pace.dispatchesFor(pause.everyMs, body.length);
      if (count >= rest.length) return rest;
      state.step.write(plan, 0, 0); // again for each part: another step may have written its own
      const recorder = record(device);
      recorder.replay(rest.slice(0, count));
      const start = performance.now();
      recorder.submit();
      await device.gpu.queue.onSubmittedWorkDone();
      pace.took(count, performance.now() - start);
      rest = rest.slice(count);
      await pause.wait();
      check();
    }
  }

  /** One submission: what is left of the body, and a run of the head for the wanted rows `from` up to `to`. */
  function submitPart(
    head: CompiledGraph["head"],
    plan: StepPlan,
    body: readonly Dispatch[],
    from: number,
    to: number,
  ): PartReads {
    state.step.write(plan, from, to);
    const recorder = record(device);
    recorder.replay(body);
    if (to > from) recorder.replay(head(to - from));
    const logitRows = Math.max(0, Math.min(to, plan.readCount) - from);
    const sampledRows = to - from - logitRows;
    const pending: PendingRead[] = [];
    const read = (slots: Readback, ...copy: [from: { readonly buffer: GPUBuffer }, byteLength: number]) => {
      const slot = slots.copy(recorder, ...copy);
      pending.push(slot);
      return slot;
    };
    const logits = logitRows > 0 ? read(logitReads, state.logits, logitRows * vocabSize * 4) : undefined;
    let results: PendingRead | undefined;
    if (sampling && sampledRows > 0) {
      sampling.sampler.record(recorder, sampledRows);
      results = read(sampling.reads, sampling.results, sampledRows * SAMPLE_RESULT_WORDS * 4);
    }
    try {
      recorder.submit();
    } catch (error) {
      for (const slot of pending) slot.cancel();
      throw error;
    }
    return {
      ...(logits && { logits: { rows: logitRows, bytes: startRead(logits) } }),
      ...(results && { results: { rows: sampledRows, bytes: startRead(results) } }),
    };
  }

  return {
    async submit(stage, plan, pause) {
      copyPages(plan.copies);
      const { head } = stages[stage];
      const whole = stages[stage].body(plan);
      let body = pause ? await submitInParts(plan, whole, pause) : whole;
      const wantedCount = plan.wanted.length;
      const parts: PartReads[] = [];
      for (let from = 0; from === 0 || from < wantedCount; from += LOGIT_ROWS) {
        const to = Math.min(from + LOGIT_ROWS, wantedCount);
        if (to > from) {
          await readSlots();
          check();
        }
        parts.push(submitPart(head, plan, body, from, to));
        body = [];
      }
      return {
        async results() {
          const logits: Float32Array[] = [];
          const drawn: (() => Sampled)[] = [];
          for (const part of parts) {
            logits.push(...(await rowsOf(part.logits, vocabSize, Float32Array)));
            for (const words of await rowsOf(part.results, SAMPLE_RESULT_WORDS, Uint32Array)) {
              const { plan: drawnBy } = plan.kernelRows[drawn.length]!;
              drawn.push(() => readSampleResult(words, 0, drawnBy, vocabSize));
            }
          }
          // Without a read nothing has waited for the GPU yet, and the caller's next look at its signal would come too early.
          if (wantedCount === 0) await device.gpu.queue.onSubmittedWorkDone();
          return dealRows(plan, logits, drawn);
        },
      };
    },
  };
}

interface PendingRows {
  readonly rows: number;
  readonly bytes: Promise<ArrayBuffer>;
}
/** Of one submission. */
interface PartReads {
  readonly logits?: PendingRows;
  readonly results?: PendingRows;
}

/** Views of what was read, which nobody else has: a copy of each row would be garbage by the megabyte. */
async function rowsOf<Row>(
  pending: PendingRows | undefined,
  words: number,
  View: new (bytes: ArrayBuffer, byteOffset: number, length: number) => Row,
): Promise<Row[]> {
  if (!pending) return [];
  const bytes = await pending.bytes;
  return Array.from({ length: pending.rows }, (_, row) => new View(bytes, row * words * 4, words));
}
