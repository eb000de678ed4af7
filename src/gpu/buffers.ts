// The ledger that owns every GPU buffer: what is held is known to the byte, and 0 after dispose.
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

export interface BufferLedger {
  /** Bytes of all buffers not yet freed, as the GPU holds them. */
  readonly heldBytes: number;
  readonly heldCount: number;
  /** A zeroed buffer. @throws EngineError `out_of_memory`, `device_lost`, `disposed` */
  create(request: BufferRequest): Promise<OwnedBuffer>;
  /** Queue-ordered: seen by whatever is submitted later. `data` must be a multiple of 4 bytes. */
  write(target: { readonly buffer: GPUBuffer }, data: ArrayBufferView | ArrayBuffer, byteOffset?: number): void;
  freeAll(): void;
}

/** A whole vec4, so that kernels may read and write the last one without a guard. */
const BUFFER_ALIGNMENT = 16;

// The same numbers as GPUBufferUsage, which exists only where WebGPU does: modules that name them load anywhere.
export const USAGE = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
} as const;

export function createBufferLedger(device: Device): BufferLedger {
  const held = new Map<OwnedBuffer, number>();
  let heldBytes = 0;

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
      device.gpu.pushErrorScope("out-of-memory");
      device.gpu.pushErrorScope("validation");
      const buffer = device.gpu.createBuffer({ label, size, usage });
      device.counters.buffers++;
      const [invalid, exhausted] = await Promise.all([device.gpu.popErrorScope(), device.gpu.popErrorScope()]).catch(
        async (cause: unknown) => {
          throw await device.explain(cause);
        },
      );
      if (invalid || exhausted) buffer.destroy();
      // A loss comes first: what fails after one says nothing about memory.
      device.check();
      invariant(!invalid, `buffer ${label}: ${invalid?.message}`);
      if (exhausted) throw outOfMemory(label, byteLength, heldBytes);
      const owned: OwnedBuffer = {
        label,
        buffer,
        byteLength,
        free() {
          if (!held.delete(owned)) return;
          heldBytes -= size;
          buffer.destroy();
        },
      };
      held.set(owned, size);
      heldBytes += size;
      return owned;
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

function outOfMemory(label: string, requestedBytes: number, heldBytes: number): EngineError<"out_of_memory"> {
  return new EngineError(
    "out_of_memory",
    `The GPU has no room for ${label}: ${requestedBytes} bytes asked for while holding ${heldBytes}. ` +
      "Try a smaller context or a smaller model.",
    { details: { requestedBytes, heldBytes } },
  );
}
