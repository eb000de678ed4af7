// Records one submission: every operation in one compute pass, copies at the encoder's tail.
import { invariant } from "../base/invariant.ts";
import type { Device } from "./device.ts";
import type { Operation } from "./kernel.ts";

export interface BufferRange {
  readonly buffer: GPUBuffer;
  /** Bytes, a multiple of 4. */
  readonly offset?: number;
}

export interface Recorder {
  /** Adds one dispatch; an empty grid adds none. */
  run<Size>(operation: Operation<Size>, size: Size): void;
  /** Adds a copy of `byteLength` bytes (a multiple of 4), done after every dispatch, in call order. */
  copy(from: BufferRange, to: BufferRange, byteLength: number): void;
  /** Ends the pass and submits. Once. @throws EngineError `device_lost`, `disposed` */
  submit(): void;
}

/** @throws EngineError `device_lost`, `disposed` */
export function record(device: Device): Recorder {
  device.check();
  const encoder = device.gpu.createCommandEncoder();
  let pass: GPUComputePassEncoder | undefined;
  let pipeline: GPUComputePipeline | undefined;
  const copies: [from: BufferRange, to: BufferRange, byteLength: number][] = [];
  let submitted = false;

  return {
    run(operation, size) {
      invariant(!submitted, `${operation.label} was recorded after its submit`);
      const [x, y = 1, z = 1] = operation.workgroups(size);
      if (x * y * z === 0) return;
      if (!pass) {
        pass = encoder.beginComputePass();
        device.counters.passes++;
      }
      if (operation.pipeline !== pipeline) {
        pipeline = operation.pipeline;
        pass.setPipeline(pipeline);
      }
      pass.setBindGroup(0, operation.bindGroup);
      pass.dispatchWorkgroups(x, y, z);
      device.counters.dispatches++;
    },
    copy(from, to, byteLength) {
      invariant(!submitted, "a copy was recorded after its submit");
      copies.push([from, to, byteLength]);
    },
    submit() {
      invariant(!submitted, "a recorder is submitted once");
      submitted = true;
      device.check();
      pass?.end();
      for (const [from, to, byteLength] of copies) {
        encoder.copyBufferToBuffer(from.buffer, from.offset ?? 0, to.buffer, to.offset ?? 0, byteLength);
      }
      device.gpu.queue.submit([encoder.finish()]);
      device.counters.submits++;
    },
  };
}
