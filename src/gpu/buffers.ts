// The ledger that owns every GPU buffer and texture: what is held is known to the byte, and 0 after dispose.
import { EngineError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { Device } from "./device.ts";

/** A buffer and its one owner. Fits wherever a `BufferBinding` is asked for. */
export interface OwnedBuffer {
  readonly label: string;
  readonly buffer: GPUBuffer;
  /** As asked for; the GPU holds it rounded up to BUFFER_ALIGNMENT. */
  readonly byteLength: number;
  /** Idempotent. Work already submitted still finishes. */
  free(): void;
}

export interface BufferRequest {
  label: string;
  byteLength: number;
  usage: GPUBufferUsageFlags;
}

/** A storage texture of vectors of four floats, TEXTURE_WIDTH in a row, and its one owner. */
export interface OwnedTexture {
  readonly label: string;
  readonly view: GPUTextureView;
  readonly byteLength: number;
  /** As OwnedBuffer's. */
  free(): void;
}

export interface BufferLedger {
  /** Bytes of all that is not yet freed, as the GPU holds it. */
  readonly heldBytes: number;
  readonly heldCount: number;
  /** A zeroed buffer. @throws EngineError `out_of_memory`, `device_lost`, `disposed` */
  create(request: BufferRequest): Promise<OwnedBuffer>;
  /** A zeroed texture that has room for `byteLength` bytes. @throws as `create` */
  createTexture(request: Omit<BufferRequest, "usage">): Promise<OwnedTexture>;
  /** Queue-ordered: seen by whatever is submitted later. `data` must be a multiple of 4 bytes. */
  write(target: { readonly buffer: GPUBuffer }, data: ArrayBufferView | ArrayBuffer, byteOffset?: number): void;
  freeAll(): void;
}

/** A whole vec4, so that kernels may read and write the last one without a guard. */
const BUFFER_ALIGNMENT = 16;

export const TEXTURE_FORMAT: GPUTextureFormat = "rgba32float";
/** Vectors in a row of a texture, which every adapter allows: as the kernels have it that address one by a single index. */
const TEXTURE_WIDTH = 2048;
const TEXTURE_ROW_BYTES = TEXTURE_WIDTH * 16;
const STORAGE_BINDING = 0x8; // of GPUTextureUsage

// The same numbers as GPUBufferUsage, which exists only where WebGPU does: modules that name them load anywhere.
export const USAGE = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
} as const;

export function createBufferLedger(device: Device): BufferLedger {
  const held = new Map<{ free(): void }, number>();
  let heldBytes = 0;

  /** What `make` makes, once the device has said that it is there. */
  async function allocate<Made extends { destroy(): void }>(label: string, byteLength: number, make: () => Made) {
    device.check();
    device.gpu.pushErrorScope("out-of-memory");
    device.gpu.pushErrorScope("validation");
    const made = make();
    device.counters.buffers++;
    const [invalid, exhausted] = await Promise.all([device.gpu.popErrorScope(), device.gpu.popErrorScope()]).catch(
      async (cause: unknown) => {
        throw await device.explain(cause);
      },
    );
    if (invalid || exhausted) made.destroy();
    // A loss comes first: what fails after one says nothing about memory.
    device.check();
    invariant(!invalid, `buffer ${label}: ${invalid?.message}`);
    if (exhausted) throw outOfMemory(label, byteLength, heldBytes);
    return made;
  }

  function own<Owned extends { free(): void }>(owned: Owned, size: number): Owned {
    held.set(owned, size);
    heldBytes += size;
    return owned;
  }

  function disown(owned: { free(): void }, made: { destroy(): void }): void {
    const size = held.get(owned);
    if (size === undefined) return;
    held.delete(owned);
    heldBytes -= size;
    made.destroy();
  }

  return {
    get heldBytes() {
      return heldBytes;
    },
    get heldCount() {
      return held.size;
    },
    async create({ label, byteLength, usage }) {
      device.check();
      const size = Math.max(BUFFER_ALIGNMENT, Math.ceil(byteLength / BUFFER_ALIGNMENT) * BUFFER_ALIGNMENT);
      if (size > device.gpu.limits.maxBufferSize) throw outOfMemory(label, byteLength, heldBytes);
      const buffer = await allocate(label, byteLength, () => device.gpu.createBuffer({ label, size, usage }));
      const owned: OwnedBuffer = { label, buffer, byteLength, free: () => disown(owned, buffer) };
      return own(owned, size);
    },
    async createTexture({ label, byteLength }) {
      const size = [TEXTURE_WIDTH, textureBytes(byteLength) / TEXTURE_ROW_BYTES];
      const texture = await allocate(label, byteLength, () =>
        device.gpu.createTexture({ label, size, format: TEXTURE_FORMAT, usage: STORAGE_BINDING }),
      );
      const free = () => disown(owned, texture);
      const owned: OwnedTexture = { label, view: texture.createView(), byteLength, free };
      return own(owned, textureBytes(byteLength));
    },
    write(target, data, byteOffset = 0) {
      device.check();
      if (ArrayBuffer.isView(data)) {
        device.gpu.queue.writeBuffer(target.buffer, byteOffset, data.buffer, data.byteOffset, data.byteLength);
      } else {
        device.gpu.queue.writeBuffer(target.buffer, byteOffset, data);
      }
      device.counters.bufferWrites++;
    },
    freeAll() {
      for (const owned of [...held.keys()]) owned.free();
    },
  };
}

/** What a texture with room for so many bytes takes. */
export function textureBytes(byteLength: number): number {
  return Math.max(1, Math.ceil(byteLength / TEXTURE_ROW_BYTES)) * TEXTURE_ROW_BYTES;
}

function outOfMemory(label: string, requestedBytes: number, heldBytes: number): EngineError<"out_of_memory"> {
  return new EngineError(
    "out_of_memory",
    `The GPU has no room for ${label}: ${requestedBytes} bytes asked for while holding ${heldBytes}. ` +
      "Try a smaller context or a smaller model.",
    { details: { requestedBytes, heldBytes } },
  );
}
