// Rope, KV pages and attention, compiled.
import { allEnded } from "../base/all-ended.ts";
import type { BufferBinding, Operation } from "../gpu/kernel.ts";
import {
  attentionDecode,
  attentionDecodeBroadcastFor,
  attentionThreads,
  decodeChunks,
} from "../kernels/attention-decode.ts";
import { attentionPrefillFor } from "../kernels/attention-prefill.ts";
import { attentionReduce } from "../kernels/attention-reduce.ts";
import { ropeKv } from "../kernels/rope-kv.ts";
import type { AttentionOp, RopeKvOp } from "../model/graph.ts";
import type { AttentionWindow, VectorRef } from "../model/spec.ts";
import type { Compiler, Operations, StepSize } from "./gpu-compiler.ts";

export async function ropeKvOperation(compiler: Compiler, op: RopeKvOp): Promise<Operation<StepSize>> {
  const { headCount, kvHeadCount, headDim, widths } = compiler.graph;
  const { state, weights } = compiler;
  const norm = (ref: VectorRef | undefined): BufferBinding => (ref ? weights.vectors.gain(ref) : state.ropeTable);
  return compiler.prepare(ropeKv, {
    label: `rope of layer ${op.layer}`,
    buffers: {
      qkv: compiler.slot(op.input),
      queryNorm: norm(op.queryNorm),
      keyNorm: norm(op.keyNorm),
      table: state.ropeTable,
      rows: state.step.rows,
      pages: state.step.pages,
      queries: compiler.slot(op.output),
      kv: state.kv[op.layer]!,
    },
    params: {
      rowStride: widths[op.input],
      queryOffset: 0,
      keyOffset: headCount * headDim,
      valueOffset: (headCount + kvHeadCount) * headDim,
      headCount,
      kvHeadCount,
      queryScale: op.queryScale,
      epsilon: op.epsilon,
    },
    overrides: {
      HEAD_DIM: headDim,
      ROPE_DIM: op.rope.dimension,
      HALVES: op.rope.layout === "halves",
      HAS_QUERY_NORM: op.queryNorm !== undefined,
      HAS_KEY_NORM: op.keyNorm !== undefined,
    },
    prelude: state.memory.kv.format.write,
  });
}

export async function attentionOperations(compiler: Compiler, op: AttentionOp): Promise<Operations> {
  const { state } = compiler;
  const { headCount, kvHeadCount, headDim, stage } = compiler.graph;
  const window = windowLength(op.window);
  const overrides = { HEAD_DIM: headDim };
  const label = `attention of layer ${op.layer}`;
  const { rows, pages } = state.step;
  const queries = compiler.slot(op.input);
  const output = compiler.slot(op.output);
  const kv = state.kv[op.layer]!;
  const { format } = state.memory.kv;
  if (stage === "prefill") {
    const params = { headCount, kvHeadCount, window, softCap: 0 };
    const buffers = { step: state.step.step, queries, kv, rows, pages, output };
    const kernel = attentionPrefillFor(compiler.device.adapter);
    return [await compiler.prepare(kernel, { label, buffers, params, overrides, prelude: format.readBy4 })];
  }
  const maxChunks = decodeChunks(state.memory.contextLength);
  const partials = state.partials;
  const decoding = {
    label,
    buffers: { queries, kv, rows, pages, partials, output },
    params: { headCount, kvHeadCount, window, softCap: 0, maxChunks },
  };
  const own = attentionDecodeBroadcastFor(compiler.device.adapter, { headDim, group: headCount / kvHeadCount });
  return allEnded([
    own
      ? compiler.prepare(own.kernel, {
          ...decoding,
          overrides: { ...overrides, OCTET: own.octet },
          prelude: format.readBy4,
        })
      : compiler.prepare(attentionDecode, {
          ...decoding,
          overrides: { ...overrides, THREADS: attentionThreads(compiler.device.adapter) },
          prelude: format.readBy8,
        }),
    compiler.prepare(attentionReduce, {
      label: `${label}, reduced`,
      buffers: { partials, rows, output },
      params: { headCount, window, maxChunks },
      overrides,
    }),
  ]);
}

/** In keys; 0 is what kernels take for all of them. */
function windowLength(window: AttentionWindow): number {
  return window === "full" ? 0 : window.sliding;
}
