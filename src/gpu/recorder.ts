// Records one submission: every operation in one compute pass, copies at the encoder's tail.
import { invariant } from "../base/invariant.ts";
import type { Device } from "./device.ts";
import type { Dispatch, Operation } from "./kernel.ts";

export interface BufferRange {
  readonly buffer: GPUBuffer;
  /** Bytes, a multiple of 4. */
  readonly offset?: number;
}

export interface Recorder {
  /** Adds one dispatch; an empty grid adds none. */
  run<Size>(operation: Operation<Size>, size: Size): void;
  /** Adds dispatches that were worked out before. */
  replay(dispatches: readonly Dispatch[]): void;
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
      const dispatch = operation.dispatch(size);
      if (dispatch) this.replay([dispatch]);
    },
    replay(dispatches) {
      invariant(!submitted, "a dispatch was recorded after its submit");
      if (dispatches.length === 0) return;
      if (!pass) {
        pass = encoder.beginComputePass();
        device.counters.passes++;
      }
      for (const dispatch of dispatches) {
        if (dispatch.pipeline !== pipeline) {
          pipeline = dispatch.pipeline;
          pass.setPipeline(pipeline);
        }
        pass.setBindGroup(0, dispatch.bindGroup);
        pass.dispatchWorkgroups(dispatch.x, dispatch.y, dispatch.z);
      }
      device.counters.dispatches += dispatches.length;
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
