// Kernels as declarations: names, accesses and types stand here once, and a missing buffer or number does not compile.
// `prepare` makes the pipeline and a static bind group at load time; nothing is made when an operation runs.
import { EngineError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { OwnedBuffer } from "./buffers.ts";
import { TEXTURE_FORMAT, USAGE } from "./buffers.ts";
import type { Device } from "./device.ts";

/** Textures are storage textures of rgba32float, bound by their view. */
export type Access = "uniform" | "read" | "read_write" | "texture_read" | "texture_write";
export type ScalarType = "u32" | "i32" | "f32";
export type OverrideType = ScalarType | "bool";
type Accesses = Readonly<Record<string, Access>>;
type Scalars = Readonly<Record<string, ScalarType>>;
type Overrides = Readonly<Record<string, OverrideType>>;

export interface BufferBinding {
  readonly buffer: GPUBuffer;
  /** Bytes; a multiple of 256. */
  readonly offset?: number;
  readonly size?: number;
}

export interface TextureBinding {
  readonly view: GPUTextureView;
}

export type BindingOf<A extends Access> = A extends "texture_read" | "texture_write" ? TextureBinding : BufferBinding;

export type ParamValues<P extends Scalars> = { readonly [Name in keyof P]: number };
export type OverrideValues<O extends Overrides> = {
  readonly [Name in keyof O]: O[Name] extends "bool" ? boolean : number;
};
export type Grid = readonly [x: number, y?: number, z?: number];

/** Workgroups along x may be any number (see `foldGrid`); y is at most 65,535; z must be left out where x is large. */
export type GridRule<P extends Scalars, O extends Overrides, Size> = (
  size: Size,
  values: { params: ParamValues<P>; overrides: OverrideValues<O> },
) => Grid;

export interface Kernel<
  B extends Accesses = Accesses,
  P extends Scalars = Scalars,
  O extends Overrides = Overrides,
  Size = never,
> {
  readonly name: string;
  /** Text of the .wgsl, with the entry point `main`. */
  readonly source: string;
  /** In the order of their @binding numbers in @group(0). */
  readonly bindings: B;
  /** Fields of `struct Params`, a uniform at the last binding, in order, 4 bytes each. None: no such binding. */
  readonly params: P;
  readonly overrides: O;
  readonly grid: GridRule<P, O, Size>;
}

/** Declares a kernel. A test compares the declaration with its .wgsl. */
export function defineKernel<const B extends Accesses, const P extends Scalars, const O extends Overrides, Size>(
  kernel: Kernel<B, P, O, Size>,
): Kernel<B, P, O, Size> {
  return kernel;
}

export interface PrepareOptions<B extends Accesses, P extends Scalars, O extends Overrides> {
  label: string;
  buffers: { readonly [Name in keyof B]: BindingOf<B[Name]> };
  params: ParamValues<P>;
  overrides: OverrideValues<O>;
  /** Appended to the source: the functions of a weight format, or of a variant. */
  prelude?: string;
  /** Put before the source: WGSL directives that the prelude needs. */
  directives?: string;
}

/** One dispatch, its grid worked out: at least one workgroup. */
export interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** A kernel with its buffers and numbers, ready to run any number of times. */
export interface Operation<Size> {
  readonly label: string;
  /** Its dispatch for a size; none where the grid is empty. Worth keeping where a size comes back. */
  dispatch(size: Size): Dispatch | undefined;
  /** Gives back its slot of the parameter arena. */
  free(): void;
}

/**
 * Pipelines and layouts are shared by all operations of the device.
 * @throws EngineError `webgpu_unavailable` when the driver refuses the pipeline, `out_of_memory`, `device_lost`, `disposed`
 */
export async function prepare<B extends Accesses, P extends Scalars, O extends Overrides, Size>(
  device: Device,
  kernel: Kernel<B, P, O, Size>,
  options: PrepareOptions<B, P, O>,
): Promise<Operation<Size>> {
  device.check();
  const state = stateOf(device);
  const accesses: Access[] = Object.values(kernel.bindings);
  const paramNames = Object.keys(kernel.params);
  if (paramNames.length > 0) accesses.push("uniform");
  const layout = layoutFor(device, state, accesses);
  const pipeline = await pipelineFor(device, state, kernel, layout.pipeline, options);

  const entries: GPUBindGroupEntry[] = Object.keys(kernel.bindings).map((name, binding) => {
    return { binding, resource: resourceOf(options.buffers[name]!) };
  });
  let slot: ParamSlot | undefined;
  if (paramNames.length > 0) {
    slot = await takeSlot(device, state);
    device.buffers.write(slot.arena, packParams(kernel.params, options.params), slot.offset);
    entries.push({
      binding: entries.length,
      resource: { buffer: slot.arena.buffer, offset: slot.offset, size: paramBytes(paramNames.length) },
    });
  }
  device.check();
  const bindGroup = device.gpu.createBindGroup({ label: options.label, layout: layout.group, entries });
  device.counters.bindGroups++;
  const values = { params: options.params, overrides: options.overrides };
  return {
    label: options.label,
    dispatch(size) {
      const [x, y = 1, z = 1] = foldGrid(kernel.grid(size, values));
      return x * y * z === 0 ? undefined : { pipeline, bindGroup, x, y, z };
    },
    free() {
      if (slot) state.freeSlots.push(slot);
      slot = undefined;
    },
  };
}

function resourceOf(bound: BufferBinding | TextureBinding): GPUBindingResource {
  if ("view" in bound) return bound.view;
  const { buffer, offset = 0, size } = bound;
  return size === undefined ? { buffer, offset } : { buffer, offset, size };
}

/** Most workgroups along one dimension, on every adapter. */
export const MAX_WORKGROUPS = 65_535;

/**
 * The shared rule for large grids: what exceeds the limit along x goes to z, and kernels undo it by
 * `let x = workgroup_id.x + workgroup_id.z * num_workgroups.x;`. The product may exceed the count, so kernels with a large
 * x also guard `x < count`. y is never folded.
 */
export function foldGrid([x, y = 1, z = 1]: Grid): Grid {
  invariant(y <= MAX_WORKGROUPS && z <= MAX_WORKGROUPS, `a grid of ${x} x ${y} x ${z} workgroups cannot be folded`);
  if (x <= MAX_WORKGROUPS) return [x, y, z];
  const layers = Math.ceil(x / MAX_WORKGROUPS);
  invariant(z === 1 && layers <= MAX_WORKGROUPS, `a grid of ${x} x ${y} x ${z} workgroups cannot be folded`);
  return [Math.ceil(x / layers), y, layers];
}

/** Params in WGSL's uniform layout: scalars of 4 bytes, the struct rounded up to 16. */
export function packParams<P extends Scalars>(types: P, values: ParamValues<P>): ArrayBuffer {
  const names = Object.keys(types);
  const bytes = new ArrayBuffer(paramBytes(names.length));
  const view = new DataView(bytes);
  names.forEach((name, index) => {
    const value = values[name]!;
    const type = types[name]!;
    if (type === "f32") view.setFloat32(index * 4, value, true);
    else {
      const inRange = type === "u32" ? value >= 0 && value <= 0xffff_ffff : Math.abs(value) <= 0x7fff_ffff;
      invariant(Number.isInteger(value) && inRange, `parameter ${name}: ${value} is no ${type}`);
      if (type === "u32") view.setUint32(index * 4, value, true);
      else view.setInt32(index * 4, value, true);
    }
  });
  return bytes;
}

function paramBytes(count: number): number {
  return Math.ceil(count / 4) * 16;
}

interface Layout {
  readonly group: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}
interface ParamSlot {
  readonly arena: OwnedBuffer;
  readonly offset: number;
}
/** What operations share, for as long as the device lives. */
interface KernelState {
  readonly layouts: Map<string, Layout>;
  readonly modules: Map<string, GPUShaderModule>;
  readonly pipelines: Map<object, Map<string, Promise<GPUComputePipeline>>>;
  readonly freeSlots: ParamSlot[];
  growing: Promise<void> | undefined;
}

const states = new WeakMap<Device, KernelState>();

function stateOf(device: Device): KernelState {
  let state = states.get(device);
  if (!state) {
    state = { layouts: new Map(), modules: new Map(), pipelines: new Map(), freeSlots: [], growing: undefined };
    states.set(device, state);
  }
  return state;
}

const LAYOUTS: Record<Access, Omit<GPUBindGroupLayoutEntry, "binding" | "visibility">> = {
  uniform: { buffer: { type: "uniform" } },
  read: { buffer: { type: "read-only-storage" } },
  read_write: { buffer: { type: "storage" } },
  texture_read: { storageTexture: { format: TEXTURE_FORMAT, access: "read-only" } },
  texture_write: { storageTexture: { format: TEXTURE_FORMAT, access: "write-only" } },
};

function layoutFor(device: Device, state: KernelState, accesses: readonly Access[]): Layout {
  const key = accesses.join();
  let layout = state.layouts.get(key);
  if (!layout) {
    const entries = accesses.map((access, binding) => ({
      binding,
      visibility: 0x4, // GPUShaderStage.COMPUTE
      ...LAYOUTS[access],
    }));
    const group = device.gpu.createBindGroupLayout({ label: key, entries });
    layout = { group, pipeline: device.gpu.createPipelineLayout({ label: key, bindGroupLayouts: [group] }) };
    device.counters.layouts += 2;
    state.layouts.set(key, layout);
  }
  return layout;
}

function pipelineFor<B extends Accesses, P extends Scalars, O extends Overrides, Size>(
  device: Device,
  state: KernelState,
  kernel: Kernel<B, P, O, Size>,
  layout: GPUPipelineLayout,
  { overrides, prelude = "", directives = "" }: PrepareOptions<B, P, O>,
): Promise<GPUComputePipeline> {
  const constants = Object.fromEntries(Object.keys(kernel.overrides).map((name) => [name, Number(overrides[name]!)]));
  const key = JSON.stringify(constants) + directives + prelude;
  let ofKernel = state.pipelines.get(kernel);
  if (!ofKernel) {
    ofKernel = new Map();
    state.pipelines.set(kernel, ofKernel);
  }
  let pipeline = ofKernel.get(key);
  if (!pipeline) {
    const code = `${directives}${kernel.source}\n${prelude}`;
    let module = state.modules.get(code);
    if (!module) {
      // The pipeline reports what is wrong with its module, so the scope only keeps it from being reported twice.
      device.gpu.pushErrorScope("validation");
      module = device.gpu.createShaderModule({ label: kernel.name, code });
      void device.gpu.popErrorScope().catch(() => null);
      state.modules.set(code, module);
    }
    device.counters.pipelines++;
    pipeline = device.gpu
      .createComputePipelineAsync({ label: kernel.name, layout, compute: { module, entryPoint: "main", constants } })
      .catch(async (cause: unknown) => {
        ofKernel.delete(key);
        throw await pipelineError(device, kernel.name, module, cause);
      });
    ofKernel.set(key, pipeline);
  }
  return pipeline;
}

async function pipelineError(device: Device, name: string, module: GPUShaderModule, cause: unknown): Promise<Error> {
  const info = await module.getCompilationInfo().catch(() => ({ messages: [] }));
  const errors = info.messages.filter(({ type }) => type === "error");
  const lines = errors.map(({ lineNum, message }) => `line ${lineNum}: ${message}`);
  const message = [...lines, cause instanceof Error ? cause.message : String(cause)].join("; ");
  // A shader that does not validate is our bug; anything else is a driver that cannot compile a valid one.
  if ((cause as { reason?: unknown }).reason === "validation") {
    return new Error(`Bug in Ingle: kernel ${name} does not compile: ${message}`, { cause });
  }
  const failure = await device.explain(cause);
  if (failure.code !== "device_lost" || failure.cause !== cause) return failure;
  const reason = `the driver cannot compile kernel ${name}: ${message}`;
  return new EngineError("webgpu_unavailable", `WebGPU cannot be used: ${reason}`, { details: { reason }, cause });
}

/** Every adapter allows uniform offsets that are multiples of this. */
const SLOT_BYTES = 256;
const ARENA_SLOTS = 256; // 64 KiB: a 30-layer model fills one or two, while it is tuned ten

async function takeSlot(device: Device, state: KernelState): Promise<ParamSlot> {
  for (;;) {
    const slot = state.freeSlots.pop();
    if (slot) return slot;
    // One arena at a time, however many operations are being prepared at once.
    state.growing ??= growArena(device, state).finally(() => {
      state.growing = undefined;
    });
    await state.growing;
  }
}

async function growArena(device: Device, state: KernelState): Promise<void> {
  const arena = await device.buffers.create({
    label: "kernel parameters",
    byteLength: SLOT_BYTES * ARENA_SLOTS,
    usage: USAGE.UNIFORM | USAGE.COPY_DST,
  });
  for (let index = ARENA_SLOTS - 1; index >= 0; index--) state.freeSlots.push({ arena, offset: index * SLOT_BYTES });
}
