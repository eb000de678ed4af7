// What a GPU runtime will hold beside the weights, planned before anything is downloaded: KV pages and scratch, in bytes.
import { EngineError } from "../base/errors.ts";
import { textureBytes } from "../gpu/buffers.ts";
import type { Device } from "../gpu/device.ts";
import { decodeChunks, partialsLength } from "../kernels/attention-decode.ts";
import { DEFAULT_KV_CACHE, KV_FORMATS, type KvCacheType, type KvFormat } from "../kernels/kv-format.ts";
import { PAGE_LENGTH } from "../kernels/kv-layout.ts";
import { broadcastFor, readsTexture } from "../kernels/mat-mul-variant.ts";
import { MOST_SAMPLED_TOKENS, SAMPLE_RESULT_WORDS } from "../kernels/sample-rows.ts";
import { buildGraph, type Graph, type Slot, type Stage } from "../model/graph.ts";
import type { ModelSpec } from "../model/spec.ts";
import { samplerBytes } from "./gpu-sampler.ts";
import { type StepBounds, stepBytes } from "./step-buffer.ts";

/** For a runtime that is made alone, without a budget to share. */
const DEFAULT_BYTES = 512 << 20;
const DECODE_ROWS = 16; // what the mat-vec family is for
const PREFILL_ROWS = 512; // fewer leave a large GPU half idle; a slow one is given fewer (engine/segments)
const FALLBACK_PREFILL_ROWS = 32; // a CPU adapter takes a second or two for them, and the stop button waits as long
const MAX_SEQUENCES = 64;
/** Rows of logits held at once: a step that wants more runs its head several times. */
export const LOGIT_ROWS = 16;
export const READS_IN_FLIGHT = 2;
/** Of steps whose tokens are sampled on the GPU: enough for the way of a result to the CPU to take three times a step's work. */
export const STEPS_IN_FLIGHT = 4;
/** Tokens of a step whose logits have a bias or a penalty, 16 bytes each: rows beyond them are sampled on the CPU. */
const SAMPLE_ENTRIES = 8192;
/** Words of what sampling leaves of a step's rows. */
export const RESULT_WORDS = LOGIT_ROWS * SAMPLE_RESULT_WORDS;
/** Where pages are plenty, each answer of a full decode step gets so many beside one whole context. */
const PAGES_PER_ANSWER = 4;
/** A model is not loaded with less context than this, unless less was asked for: it could hold no conversation. */
const LEAST_CONTEXT = 512;

export interface MemoryRequest {
  /** Most tokens of a sequence; absent: the model's own, or what the bytes allow if that is less. */
  readonly contextLength?: number | undefined;
  /** Most tokens in one prefill step, that is between two looks at the abort signal. */
  readonly prefillRows?: number | undefined;
  readonly maxSequences?: number | undefined;
  /** How keys and values are kept; default: f16. */
  readonly kvCache?: KvCacheType | undefined;
  /** For keys, values and scratch together; default 512 MiB. */
  readonly availableBytes?: number | undefined;
  /** Sample where the logits are. Absent: except on CPU adapters, where reading them costs nothing and the CPU is faster. */
  readonly gpuSampling?: boolean | undefined;
}

export interface MemoryPlan {
  /** Most tokens in a sequence. */
  readonly contextLength: number;
  readonly maxSequences: number;
  /** Token rows of the largest step, by stage. */
  readonly maxRows: { readonly prefill: number; readonly decode: number };
  readonly kv: KvPlan;
  readonly step: StepBounds;
  readonly scratch: ScratchBytes;
  readonly gpuSampling: boolean;
  /** KV and scratch together. */
  readonly bytes: number;
}

export interface KvPlan {
  readonly format: KvFormat;
  readonly pageCount: number;
  /** With fewer there is no room for a context that was asked for, or for a conversation. */
  readonly leastPages: number;
  /** Bytes of one page in one layer: keys, then values. */
  readonly layerPageBytes: number;
  /** Bytes of one page over all layers. */
  readonly pageBytes: number;
}

/** Bytes of each buffer that is neither weights nor KV pages: see GpuState. */
export interface ScratchBytes {
  readonly slots: Readonly<Record<Stage, Readonly<Record<Exclude<Slot, "logits">, number>>>>;
  readonly logits: number;
  readonly step: number;
  readonly partials: number;
  /** 0 where no variant of mat-mul reads one. */
  readonly rowTexture: number;
  readonly ropeTable: number;
  readonly pageScratch: number;
  /** What sampling needs between its kernels, and for its results to be read. */
  readonly sampling: number;
  /** Its results, and a token for each page. */
  readonly sampled: number;
  /** One of READS_IN_FLIGHT. */
  readonly readback: number;
}

/** @throws EngineError `out_of_memory` when a context that was asked for does not fit, or hardly any would */
export function planMemory(device: Device, spec: ModelSpec, request: MemoryRequest = {}): MemoryPlan {
  const format = KV_FORMATS[request.kvCache ?? DEFAULT_KV_CACHE];
  const layerPageBytes = 2 * spec.kvHeadCount * format.headPageBytes(spec.headDim);
  const pageBytes = layerPageBytes * spec.layerCount;
  const maxSequences = request.maxSequences ?? MAX_SEQUENCES;
  const prefill = request.prefillRows ?? (device.adapter.isFallback ? FALLBACK_PREFILL_ROWS : PREFILL_ROWS);
  const maxRows = { prefill, decode: DECODE_ROWS };
  const gpuSampling = (request.gpuSampling ?? !device.adapter.isFallback) && spec.vocabSize <= MOST_SAMPLED_TOKENS;
  const graphs = [buildGraph(spec, "prefill"), buildGraph(spec, "decode")];
  const broadcast = broadcastFor(device.adapter);
  const scratchFor = (contextLength: number) =>
    scratchBytes(spec, graphs, {
      maxRows,
      maxSequences,
      contextLength,
      layerPageBytes,
      gpuSampling,
      rowTexture: broadcast !== undefined && readsTexture(broadcast),
    });

  const availableBytes = request.availableBytes ?? DEFAULT_BYTES;
  const wanted = Math.min(request.contextLength ?? spec.contextLength, spec.contextLength);
  const room = Math.min(
    Math.floor((availableBytes - sum(scratchFor(wanted))) / pageBytes),
    Math.floor(device.maxBindingBytes / layerPageBytes),
  );
  const least = request.contextLength === undefined ? Math.min(wanted, LEAST_CONTEXT) : wanted;
  const leastPages = Math.ceil(least / PAGE_LENGTH);
  if (room < leastPages) {
    if (prefill === PREFILL_ROWS && request.prefillRows === undefined)
      return planMemory(device, spec, { ...request, prefillRows: PREFILL_ROWS / 2 });
    const neededBytes = leastPages * pageBytes + sum(scratchFor(least));
    throw new EngineError(
      "out_of_memory",
      `A context of ${least} tokens takes ${neededBytes} bytes (${leastPages * pageBytes} of keys and values, the rest scratch); ` +
        `${availableBytes} are left of the memory budget, in bindings of at most ${device.maxBindingBytes}. ` +
        `${room > 0 ? `Ask for a context of ${room * PAGE_LENGTH} tokens, a` : "A"}llow more memory, or unload another model.`,
      { details: { requestedBytes: neededBytes, heldBytes: device.buffers.heldBytes } },
    );
  }
  const contextLength = Math.min(wanted, room * PAGE_LENGTH);
  const pageCount = Math.min(room, mostPages(wanted));
  const scratch = scratchFor(contextLength);
  const step = stepBounds({ maxRows, maxSequences, contextLength, gpuSampling });
  return {
    contextLength,
    maxSequences,
    maxRows,
    kv: { format, pageCount, leastPages, layerPageBytes, pageBytes },
    step,
    scratch,
    gpuSampling,
    bytes: pageCount * pageBytes + sum(scratch),
  };
}

/** A plan with half the pages, for a device that has no room for all; undefined when `plan` has the fewest that there may be. */
export function shrinkMemory(device: Device, spec: ModelSpec, plan: MemoryPlan): MemoryPlan | undefined {
  const { kv, maxRows, maxSequences, contextLength, gpuSampling, bytes } = plan;
  const pages = Math.max(Math.floor(kv.pageCount / 2), kv.leastPages);
  if (pages >= kv.pageCount) return undefined;
  return planMemory(device, spec, {
    contextLength: Math.min(contextLength, pages * PAGE_LENGTH),
    prefillRows: maxRows.prefill,
    maxSequences,
    kvCache: kv.format.name,
    gpuSampling,
    availableBytes: bytes - (kv.pageCount - pages) * kv.pageBytes,
  });
}

/** Pages that are worth having for such a context. */
function mostPages(contextLength: number): number {
  const ofContext = Math.ceil(contextLength / PAGE_LENGTH);
  return Math.max(2 * ofContext, ofContext + PAGES_PER_ANSWER * DECODE_ROWS);
}

interface Sizes {
  readonly maxRows: MemoryPlan["maxRows"];
  readonly maxSequences: number;
  readonly contextLength: number;
  readonly layerPageBytes: number;
  readonly gpuSampling: boolean;
  readonly rowTexture: boolean;
}

function scratchBytes(spec: ModelSpec, graphs: readonly Graph[], sizes: Sizes): ScratchBytes {
  const { maxRows, contextLength, layerPageBytes } = sizes;
  const step = stepBounds(sizes);
  const slotsOf = (stage: Stage) => {
    const { logits, ...widths } = graphs.find((graph) => graph.stage === stage)!.widths;
    const bytes = Object.entries(widths).map(([slot, width]) => [slot, maxRows[stage] * width * 4]);
    return Object.fromEntries(bytes) as Record<keyof typeof widths, number>;
  };
  return {
    slots: { prefill: slotsOf("prefill"), decode: slotsOf("decode") },
    logits: LOGIT_ROWS * spec.vocabSize * 4,
    step: stepBytes(step),
    partials: partialsLength(maxRows.decode, spec.headCount, spec.headDim, decodeChunks(contextLength)) * 4,
    rowTexture: sizes.rowTexture ? textureBytes(maxRows.prefill * widestInput(graphs) * 4) : 0,
    ropeTable: contextLength * spec.rope.dimension * 4,
    pageScratch: layerPageBytes,
    sampling: sizes.gpuSampling ? samplerBytes(spec.vocabSize, LOGIT_ROWS) + STEPS_IN_FLIGHT * RESULT_WORDS * 4 : 0,
    sampled: sizes.gpuSampling ? (RESULT_WORDS + mostPages(contextLength)) * 4 : 0,
    readback: LOGIT_ROWS * spec.vocabSize * 4,
  };
}

/** Of the products of prefill rows. */
function widestInput(graphs: readonly Graph[]): number {
  const { ops, widths } = graphs.find(({ stage }) => stage === "prefill")!;
  return Math.max(...ops.map((op) => (op.op === "linear" ? widths[op.input] : 0)));
}

function stepBounds({
  maxRows,
  maxSequences,
  contextLength,
  gpuSampling,
}: Omit<Sizes, "layerPageBytes" | "rowTexture">): StepBounds {
  const rows = Math.max(maxRows.prefill, maxRows.decode);
  // A step names the tables of the sequences in it, and has no more of them than rows.
  const tables = Math.min(maxSequences, rows);
  const pages = tables * Math.ceil(contextLength / PAGE_LENGTH);
  return { rows, wantedRows: LOGIT_ROWS, pages, entries: gpuSampling ? SAMPLE_ENTRIES : 0 };
}

function sum({ slots, readback, ...rest }: ScratchBytes): number {
  const ofSlots = Object.values(slots).flatMap((each) => Object.values(each));
  const bytes = [...ofSlots, ...Object.values(rest), READS_IN_FLIGHT * readback];
  return bytes.reduce((total, size) => total + size, 0);
}
