// A ring of mappable buffers, made once: reading results creates nothing per token.
import { invariant } from "../base/invariant.ts";
import type { OwnedBuffer } from "./buffers.ts";
import { USAGE } from "./buffers.ts";
import type { Device } from "./device.ts";
import type { BufferRange, Recorder } from "./recorder.ts";

export interface PendingRead {
  /** Waits for the submitted work and gives a copy of the bytes. Once, after `recorder.submit()`; must be called or the slot
   *  stays taken. @throws EngineError `device_lost`, `disposed` */
  read(): Promise<ArrayBuffer>;
  /** Gives the slot back unread, for a recorder that was never submitted. */
  cancel(): void;
}

export interface Readback {
  /** Slots not taken: with none left, `copy` is a bug of the caller. */
  readonly free: number;
  /** Adds a copy of up to `byteLength` bytes (default: the slot's size) to the recorder's tail. */
  copy(recorder: Recorder, from: BufferRange, byteLength?: number): PendingRead;
  dispose(): void;
}

/** @throws EngineError `out_of_memory`, `device_lost`, `disposed` */
export async function createReadback(device: Device, byteLength: number, depth: number): Promise<Readback> {
  const usage = USAGE.MAP_READ | USAGE.COPY_DST;
  const slots: OwnedBuffer[] = [];
  try {
    for (let index = 0; index < depth; index++) {
      slots.push(await device.buffers.create({ label: `readback ${index}`, byteLength, usage }));
    }
  } catch (error) {
    for (const slot of slots) slot.free();
    throw error;
  }
  const ready = [...slots];

  return {
    get free() {
      return ready.length;
    },
    copy(recorder, from, length = byteLength) {
      invariant(length <= byteLength, `a readback of ${length} bytes into slots of ${byteLength}`);
      const slot = ready.shift();
      invariant(slot, `more than ${depth} readbacks in flight`);
      recorder.copy(from, slot, length);
      device.counters.readBytes += length;
      let taken = true;
      const release = () => {
        invariant(taken, "a readback is read once");
        taken = false;
        ready.push(slot);
      };
      return {
        async read() {
          invariant(taken, "a readback is read once");
          try {
            await slot.buffer.mapAsync(0x1, 0, length); // GPUMapMode.READ
            device.check();
            const bytes = slot.buffer.getMappedRange(0, length).slice(0);
            slot.buffer.unmap();
            return bytes;
          } catch (cause) {
            throw await device.explain(cause);
          } finally {
            release();
          }
        },
        cancel: release,
      };
    },
    dispose() {
      for (const slot of slots) slot.free();
    },
  };
}
