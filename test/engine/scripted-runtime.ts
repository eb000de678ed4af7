// A Runtime that plays a script: logits are a function of the sequence's ids, and steps can be held, failed or lost.
import { EngineError, isEngineError, throwIfAborted } from "../../src/base/errors.ts";
import { type EngineOptions, openEngine } from "../../src/engine/engine.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { RuntimeHost, RuntimeLoad } from "../../src/engine/runtime-host.ts";
import { readGguf } from "../../src/gguf/gguf.ts";
import { GPU_SAMPLING_STEPS } from "../../src/kernels/sample-rows.ts";
import type {
  Meanwhile,
  Row,
  RowResult,
  Runtime,
  SequenceId,
  StepBatch,
  StepId,
  StepResult,
} from "../../src/runtime/runtime.ts";
import { type Sampled, sample } from "../../src/sampling/sampler.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { createTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { createRandom } from "../fixtures/random.ts";
import { tinyModel } from "../fixtures/tiny-models.ts";
import { judged } from "./judged.ts";

export const MODEL = tinyModel({ tokenizer: true, layerCount: 1, contextLength: 256 });
export const TOKENIZER = createTokenizer((await readGguf(memorySource(MODEL))).metadata);
export const END = TOKENIZER.idOf("<|im_end|>") as number;

export interface Script {
  /** Logits after these ids. Default: the tokens of `reply`, one after the other, then the end. */
  logits?: (ids: readonly number[], promptLength: number) => Float32Array;
  reply?: string | readonly number[];
  /** Runs before the n-th step is computed, counted over the runtime's life; unless it is refused. */
  beforeStep?: (step: number, batch: StepBatch) => Promise<void> | void;
  maxSequences?: number;
  prefillRows?: number;
  draftRows?: number;
  contextLength?: number;
  /** Above 1: it samples what GPUs can, and rows may follow tokens that nobody has read. */
  stepsInFlight?: number;
  /** How long a step's result is on its way, beside those of others. */
  latencyMs?: number;
  /** In how many parts a prefill step is computed when others wait meanwhile; default: 1. */
  parts?: number;
}

export interface ScriptedRuntime extends Runtime {
  readonly steps: readonly StepBatch[];
  readonly openCount: number;
  /** Steps that were under way together. */
  readonly mostInFlight: number;
  readonly disposed: boolean;
  lose(): void;
}

/** Logits that make `token` certain, and every other impossible but one part in e^20. */
export function certain(token: number): Float32Array {
  const logits = new Float32Array(TOKENIZER.vocabSize);
  logits[token] = 20;
  return logits;
}

/** Logits that depend on all ids, and leave much to chance. The end is never drawn. */
export function scattered(ids: readonly number[]): Float32Array {
  let state = ids.reduce((hash, id) => (Math.imul(hash, 31) + id + 1) | 0, 7);
  const logits = Float32Array.from({ length: TOKENIZER.vocabSize }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 30;
  });
  for (const id of TOKENIZER.endIds) logits[id] = -100;
  return logits;
}

const DIGITS = [...TOKENIZER.encode("0123456789")];

/**
 * Logits that depend on the last ids alone, and leave some to chance among ten digits and the end: an answer repeats itself
 * now and then, and its text has one token a character, in whatever text it stands.
 */
export function digits(ids: readonly number[]): Float32Array {
  const logits = new Float32Array(TOKENIZER.vocabSize).fill(-50);
  const { uint32, unit } = createRandom(ids.slice(-3).reduce((hash, id) => Math.imul(hash, 31) + id, 7));
  for (const id of DIGITS) logits[id] = 3 * unit();
  logits[DIGITS[uint32() % DIGITS.length]!]! += 3;
  logits[END] = -2;
  return logits;
}

export function createScriptedRuntime(script: Script): ScriptedRuntime {
  const { reply = "Hello", contextLength = 256, stepsInFlight = 1, latencyMs = 0 } = script;
  const tokens = [...(typeof reply === "string" ? TOKENIZER.encode(reply) : reply), END];
  const logits = script.logits ?? ((ids, promptLength) => certain(tokens[ids.length - promptLength] ?? END));
  const sequences = new Map<SequenceId, ScriptedSequence>();
  const steps: StepBatch[] = [];
  let opened = 0;
  let inFlight = 0;
  let mostInFlight = 0;
  /** Of the steps called so far. */
  let effects: Promise<unknown> = Promise.resolve();
  let disposed = false;
  let lose: (error: EngineError) => void = () => {};
  const lost = new Promise<EngineError>((resolve) => {
    lose = resolve;
  });

  function add(sequence: ScriptedSequence): SequenceId {
    const id = opened++ as SequenceId;
    sequences.set(id, sequence);
    return id;
  }

  function find(id: SequenceId) {
    const found = sequences.get(id);
    if (!found) throw new Error(`sequence ${id} is not open`);
    return found;
  }

  async function step(batch: StepBatch, signal?: AbortSignal, meanwhile?: Meanwhile): Promise<StepResult> {
    const index = steps.push(batch) - 1;
    if (stepsInFlight === 1) return compute(index, batch, meanwhile);
    const computed = effects.then(() => {
      throwIfAborted(signal);
      return compute(index, batch, meanwhile);
    });
    effects = computed.catch(() => {});
    mostInFlight = Math.max(mostInFlight, ++inFlight);
    try {
      const result = await computed;
      if (latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, latencyMs));
      throwIfAborted(signal);
      return result;
    } finally {
      inFlight--;
    }
  }

  async function compute(index: number, batch: StepBatch, meanwhile?: Meanwhile): Promise<StepResult> {
    const inputs = batch.rows.map((row) => idsOf(row, find(row.sequence)));
    await script.beforeStep?.(index, batch);
    const pauses = meanwhile && batch.stage === "prefill" ? (script.parts ?? 1) - 1 : 0;
    for (let pause = 0; pause < pauses; pause++) await meanwhile?.run();
    const rows = batch.rows.map((row, place) => {
      const sequence = find(row.sequence);
      const ids = inputs[place]!;
      sequence.ids.push(...ids);
      sequence.drawn = undefined;
      const before = sequence.ids.length - ids.length;
      if (batch.stage === "prefill") sequence.promptLength += ids.length;
      if (row.want === "sample") return drawOf(row, sequence, batch.id);
      if (row.want === "verify") return verified(row, sequence, ids);
      if (typeof row.want === "string") return {};
      const ends = row.want.at === "all" ? ids.map((_, index) => before + index + 1) : [sequence.ids.length];
      return { logits: ends.map((end) => logits(sequence.ids.slice(0, end), sequence.promptLength)) };
    });
    return { rows };
  }

  function drawOf({ plan, history }: Row, sequence: ScriptedSequence, step: StepId | undefined): RowResult {
    try {
      const sampled = sample(logits(sequence.ids, sequence.promptLength), plan!, history!);
      if (step !== undefined) sequence.drawn = { step, token: sampled.token };
      return { tokens: [sampled] };
    } catch (error) {
      if (!isEngineError(error)) throw error;
      if (step !== undefined) sequence.drawn = { step, token: 0 };
      return { fault: error };
    }
  }

  /** Of the ids, all but the first are a draft. */
  function verified({ plan, history }: Row, { ids: all, promptLength }: ScriptedSequence, ids: number[]): RowResult {
    const tokens: Sampled[] = [];
    const answer = Array.from(history!.sampled);
    try {
      do {
        const length = all.length - ids.length + tokens.length + 1;
        const soFar = { prompt: history!.prompt, sampled: [...answer, ...ids.slice(1, tokens.length + 1)] };
        tokens.push(sample(logits(all.slice(0, length), promptLength), plan!, soFar));
      } while (tokens.at(-1)!.token === ids[tokens.length]);
    } catch (error) {
      if (!isEngineError(error)) throw error;
      if (tokens.length === 0) return { fault: error };
    }
    return { tokens };
  }

  return {
    info: {
      vocabSize: TOKENIZER.vocabSize,
      contextLength,
      maxSequences: script.maxSequences ?? 4,
      pageLength: 64,
      maxRows: { prefill: script.prefillRows ?? 256, decode: 16 },
      draftRows: script.draftRows ?? 16,
      stepsInFlight,
      samplingSteps: stepsInFlight > 1 ? GPU_SAMPLING_STEPS : [],
      capabilities: new Set(["logits", ...(stepsInFlight > 1 ? (["sample", "verify", "sampledBy"] as const) : [])]),
      fingerprint: { adapter: "script" },
    },
    lost,
    steps,
    get openCount() {
      return sequences.size;
    },
    get mostInFlight() {
      return mostInFlight;
    },
    get disposed() {
      return disposed;
    },
    open: () => add({ ids: [], promptLength: 0 }),
    match: async () => ({ sequence: add({ ids: [], promptLength: 0 }), length: 0 }),
    step,
    async fork(sequence) {
      if (stepsInFlight > 1) await effects;
      const found = find(sequence);
      return add({ ...found, ids: [...found.ids] });
    },
    async rewind(sequence, length) {
      if (stepsInFlight > 1) await effects;
      const found = find(sequence);
      if (length < found.ids.length) found.drawn = undefined;
      found.ids.length = length;
      found.promptLength = Math.min(found.promptLength, length);
      return length;
    },
    free: (sequence) => void sequences.delete(sequence),
    dispose() {
      disposed = true;
    },
    lose: () => lose(new EngineError("device_lost", "The script lost the device.")),
  };
}

interface ScriptedSequence {
  ids: number[];
  promptLength: number;
  /** What its last row sampled. */
  drawn?: { readonly step: StepId; readonly token: number } | undefined;
}

function idsOf({ input }: Row, { drawn }: ScriptedSequence): number[] {
  if ("ids" in input) return Array.from(input.ids);
  if (!("sampledBy" in input)) throw new Error("a row without ids");
  if (drawn?.step !== input.sampledBy) throw new EngineError("invalid_request", "That step sampled nothing here.");
  return [drawn.token];
}

/** A host that hands out one scripted runtime after the other; the last script stays. */
export function scriptedHost(...scripts: Script[]) {
  const runtimes: ScriptedRuntime[] = [];
  const loads: RuntimeLoad[] = [];
  const open = async (): Promise<RuntimeHost> => ({
    adapter: "script",
    features: [],
    plan: () => ({
      bytes: 0,
      async create(load) {
        loads.push(load);
        const runtime = createScriptedRuntime(scripts[Math.min(runtimes.length, scripts.length - 1)] ?? {});
        runtimes.push(runtime);
        return runtime;
      },
    }),
    dispose() {},
  });
  return { open, runtimes, loads };
}

/** An engine over scripts. `runtime` is the first one. What it answers is held against OpenAI's schema. */
export async function openScripted(script: Script | readonly Script[] = {}, options: Partial<EngineOptions> = {}) {
  const { engine, ...rest } = await openUnjudged(script, options);
  return { engine: judged(engine), ...rest };
}

/** For whoever holds the answers against the schema by itself. */
export async function openUnjudged(script: Script | readonly Script[] = {}, options: Partial<EngineOptions> = {}) {
  const host = scriptedHost(...(Array.isArray(script) ? (script as readonly Script[]) : [script as Script]));
  const openModel = modelAtHand({ files: [memorySource(MODEL, "tiny.gguf")] });
  const engine = await openEngine({ id: "tiny", openModel, openHost: host.open, ...options });
  return { engine, runtimes: host.runtimes, runtime: host.runtimes[0] as ScriptedRuntime };
}
