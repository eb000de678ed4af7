// The device wrapper: opens an adapter, counts every object and command, and turns loss and exhaustion into typed errors.
// A lost WebGPU device swallows errors, so each call asks `check()` first and never trusts an error scope after a loss.
import { EngineError } from "../base/errors.ts";
import type { BufferLedger } from "./buffers.ts";
import { createBufferLedger } from "./buffers.ts";

/** Cumulative since the device was opened. */
export interface Counters {
  buffers: number;
  bindGroups: number;
  pipelines: number;
  /** Bind group layouts and pipeline layouts. */
  layouts: number;
  passes: number;
  submits: number;
  dispatches: number;
  bufferWrites: number;
  /** Bytes copied to where the CPU reads them. */
  readBytes: number;
}

export interface AdapterFacts {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** A CPU in disguise. */
  readonly isFallback: boolean;
  /** Lanes of a subgroup where that is one number and subgroups are enabled, else 0. */
  readonly subgroupSize: number;
  /** Shaders can compute with halves. */
  readonly shaderF16: boolean;
  /** Shaders can multiply four bytes by four others at once. */
  readonly packedDot: boolean;
  /** Kernels can read storage textures. */
  readonly readableTextures: boolean;
}

export interface Device {
  /** For making objects inside src/gpu only: elsewhere the counters would miss them. */
  readonly gpu: GPUDevice;
  readonly adapter: AdapterFacts;
  readonly features: ReadonlySet<string>;
  /** Most bytes one binding may span: tensors above it are split by rows. */
  readonly maxBindingBytes: number;
  readonly buffers: BufferLedger;
  readonly counters: Counters;
  /** Resolves, never rejects, when the device is lost; not on dispose(). */
  readonly lost: Promise<EngineError>;
  /** @throws EngineError `device_lost`, `disposed` */
  check(): void;
  /** The typed error behind a call that failed: loss and disposal are named before anything else is blamed. */
  explain(cause: unknown): Promise<EngineError>;
  /** Frees every buffer and the device. Idempotent. */
  dispose(): void;
}

export interface DeviceOptions {
  powerPreference?: GPUPowerPreference;
  /** Lowers `maxBindingBytes` below the adapter's limit; adapters themselves ignore requests for smaller limits. */
  maxBindingBytes?: number;
  /** Which of the useful features to enable where the adapter has them. Default "all". */
  features?: "all" | readonly string[];
}

/** None is required: each makes some kernels faster, or is for measuring. */
const USEFUL_FEATURES = ["shader-f16", "subgroups", "timestamp-query"];
/** All others stay at WebGPU's defaults, so that no kernel comes to need more than every adapter has. */
const USEFUL_LIMITS = ["maxBufferSize", "maxStorageBufferBindingSize"] as const;

/**
 * Opens the adapter that `gpu` prefers, with the largest buffers it allows.
 * @throws EngineError `webgpu_unavailable`
 */
export async function openDevice(gpu: GPU | undefined, options: DeviceOptions = {}): Promise<Device> {
  if (!gpu) throw unavailable("this browser or process offers no WebGPU");
  const adapter = await gpu
    .requestAdapter({ powerPreference: options.powerPreference ?? "high-performance" })
    .catch((cause: unknown) => {
      throw unavailable("the search for an adapter failed", cause);
    });
  if (!adapter) throw unavailable("WebGPU is there, but no adapter is");
  const requested = options.features ?? "all";
  const features = USEFUL_FEATURES.filter(
    (name) => adapter.features.has(name) && (requested === "all" || requested.includes(name)),
  );
  const requiredLimits = Object.fromEntries(USEFUL_LIMITS.map((name) => [name, adapter.limits[name]]));
  const device = await adapter
    .requestDevice({ requiredFeatures: features as GPUFeatureName[], requiredLimits })
    .catch((cause: unknown) => {
      throw unavailable("the adapter gave no device", cause);
    });
  return wrapDevice(gpu, adapter, device, features, options.maxBindingBytes);
}

function wrapDevice(
  gpu: GPU,
  adapter: GPUAdapter,
  device: GPUDevice,
  features: readonly string[],
  maxBindingBytes = Number.POSITIVE_INFINITY,
): Device {
  const counters: Counters = {
    buffers: 0,
    bindGroups: 0,
    pipelines: 0,
    layouts: 0,
    passes: 0,
    submits: 0,
    dispatches: 0,
    bufferWrites: 0,
    readBytes: 0,
  };
  let failure: EngineError | undefined;
  const { promise: lost, resolve: reportLost } = settleLater<EngineError>();
  void device.lost.then((info) => {
    if (failure) return;
    failure = deviceLost(`${info.message || "no reason was given"} (${info.reason ?? "unknown"})`);
    reportLost(failure);
  });
  // Every later check() throws on its own; an error here is a bug in a kernel or a call, and must not pass in silence.
  device.onuncapturederror = (event) => {
    if (!failure) console.error(`WebGPU reported an error outside any scope: ${event.error.message}`);
  };
  const { info } = adapter;
  const self: Device = {
    gpu: device,
    adapter: {
      vendor: info.vendor,
      architecture: info.architecture,
      device: info.device,
      description: info.description,
      isFallback: info.isFallbackAdapter ?? false,
      subgroupSize:
        features.includes("subgroups") && info.subgroupMinSize === info.subgroupMaxSize ? info.subgroupMinSize : 0,
      shaderF16: features.includes("shader-f16"),
      packedDot: gpu.wgslLanguageFeatures?.has("packed_4x8_integer_dot_product") ?? false,
      readableTextures: gpu.wgslLanguageFeatures?.has("readonly_and_readwrite_storage_textures") ?? false,
    },
    features: new Set(features),
    maxBindingBytes: Math.min(maxBindingBytes, device.limits.maxStorageBufferBindingSize),
    get buffers() {
      return ledger;
    },
    counters,
    lost,
    check() {
      if (failure) throw failure;
    },
    async explain(cause) {
      // The report of a loss may trail the failure that it caused by a turn or two of the event loop.
      for (let turn = 0; turn < LOSS_REPORT_TURNS && !failure; turn++) await nextTurn();
      return failure ?? deviceLost(cause instanceof Error ? cause.message : String(cause), cause);
    },
    dispose() {
      if (failure?.code === "disposed") return;
      failure ??= new EngineError("disposed", "The GPU device was disposed; create a new engine.");
      ledger.freeAll();
      device.destroy();
      owners.delete(self);
    },
  };
  const ledger = createBufferLedger(self);
  owners.set(self, [gpu, adapter]);
  return self;
}

const LOSS_REPORT_TURNS = 20;

/** Dawn in Node crashes when the GPU or adapter object is collected before its device. */
const owners = new Map<Device, unknown>();

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

function settleLater<Value>(): { promise: Promise<Value>; resolve: (value: Value) => void } {
  let resolve!: (value: Value) => void;
  const promise = new Promise<Value>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function deviceLost(reason: string, cause?: unknown): EngineError<"device_lost"> {
  return new EngineError("device_lost", `The GPU device was lost: ${reason}. The model must be loaded again.`, {
    cause,
  });
}

function unavailable(reason: string, cause?: unknown): EngineError<"webgpu_unavailable"> {
  const why = cause instanceof Error ? `${reason}: ${cause.message}` : reason;
  return new EngineError(
    "webgpu_unavailable",
    `WebGPU cannot be used: ${why}. Try a current browser with hardware acceleration on, or another GPU driver.`,
    { details: { reason: why }, cause },
  );
}
