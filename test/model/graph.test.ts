// ModelSpec -> ops: the reading order, what is fused, and how many dispatches a layer of decode takes.
import { expect, test } from "vitest";
import { readGguf } from "../../src/gguf/gguf.ts";
import { specOf } from "../../src/model/architectures/index.ts";
import { buildGraph, type Graph, type Op } from "../../src/model/graph.ts";
import { memorySource } from "../../src/storage/byte-source.ts";
import { writeGguf } from "../fixtures/gguf-writer.ts";
import { type TinyModelOptions, tinyModel, tinyModelParts } from "../fixtures/tiny-models.ts";

const OPTIONS: TinyModelOptions = { hiddenSize: 96, headCount: 3, kvHeadCount: 1, intermediateSize: 160 };

const specOfBytes = async (bytes: Uint8Array<ArrayBuffer>) => specOf(await readGguf(memorySource(bytes)));
const graphOf = async (stage: Graph["stage"], options: TinyModelOptions) =>
  buildGraph(await specOfBytes(tinyModel(options)), stage);

/** One op as a line: what it does to which slots, with which tensors of its layer. */
function line(op: Op): string {
  const short = (tensor: string) => tensor.replace(/^blk\.\d+\.|\.weight$/g, "");
  const norm = "norm" in op && op.norm ? `, ${short(op.norm.weight.tensor)}` : "";
  const input = "input" in op ? `${op.input}${norm} ` : "";
  switch (op.op) {
    case "linear": {
      const bias = (op.biases ?? []).some(Boolean) ? " + bias" : "";
      const at = op.firstRow > 0 ? ` from ${op.firstRow}` : "";
      return `${input}${op.residual ? "+" : "-"}> ${op.output}${at}: ${op.weights.map((ref) => short(ref.tensor))}${bias}`;
    }
    case "gatedLinear":
      return `${input}-> ${op.output}: ${op.activation}(${short(op.gate.tensor)}) * ${short(op.up.tensor)}`;
    case "embed":
    case "norm":
    case "head":
      return `${input}-> ${op.output}: ${op.op} ${short(op.weight.tensor)}`;
    default:
      return `${input}-> ${op.output}: ${op.op}`;
  }
}

const ofLayer = (graph: Graph, layerCount: number) => {
  const around = graph.stage === "prefill" ? 3 : 2; // embedding, output norm, head
  const perLayer = (graph.ops.length - around) / layerCount;
  return graph.ops.slice(1, 1 + perLayer).map(line);
};

test("a layer of decode is six ops, gate and up fused, norms a part of what reads them", async () => {
  const graph = await graphOf("decode", OPTIONS);
  expect(ofLayer(graph, 2)).toEqual([
    "residual, attn_norm -> qkv: attn_q,attn_k,attn_v",
    "qkv -> queries: ropeKv",
    "queries -> attended: attention",
    "attended +> residual: attn_output",
    "residual, ffn_norm -> gated: silu(ffn_gate) * ffn_up",
    "gated +> residual: ffn_down",
  ]);
  expect(line(graph.ops[0]!)).toBe("-> residual: embed token_embd");
  expect(line(graph.ops.at(-1)!)).toBe("residual, output_norm -> logits: head token_embd");
});

test("a layer of prefill activates after one stacked product", async () => {
  const graph = await graphOf("prefill", OPTIONS);
  expect(ofLayer(graph, 2).slice(5)).toEqual([
    "residual -> normed: norm ffn_norm",
    "normed -> gateUp: ffn_gate,ffn_up",
    "gateUp -> gated: gatedActivation",
    "gated +> residual: ffn_down",
  ]);
  expect(graph.ops.slice(-2).map(line)).toEqual([
    "residual -> normed: norm output_norm",
    "normed -> logits: head token_embd",
  ]);
});

test("widths are those of the rows that the ops write, and unused slots have none", async () => {
  const options = { ...OPTIONS, headDim: 64, vocabSize: 99 };
  expect((await graphOf("prefill", options)).widths).toEqual({
    residual: 96,
    normed: 96,
    squares: 0,
    qkv: 5 * 64,
    queries: 3 * 64,
    attended: 3 * 64,
    gateUp: 320,
    gated: 160,
    logits: 99,
  });
  // A sum of squares for each 8 of 96 columns, in whole vectors.
  expect((await graphOf("decode", options)).widths).toMatchObject({ squares: 12 });
});

test("biases, head norms and an untied head are in the ops when they are in the file", async () => {
  const biased = await graphOf("decode", { ...OPTIONS, biases: true, ropeLayout: "halves" });
  expect(ofLayer(biased, 2)[0]).toBe("residual, attn_norm -> qkv: attn_q,attn_k,attn_v + bias");
  const normed = await graphOf("decode", { ...OPTIONS, qkNorm: true });
  expect(normed.ops.find((op) => op.op === "ropeKv")).toMatchObject({
    queryNorm: { tensor: "blk.0.attn_q_norm.weight", length: 32 },
    keyNorm: { tensor: "blk.0.attn_k_norm.weight", length: 32 },
    rope: { layout: "halves" },
  });
  const untied = await graphOf("decode", { ...OPTIONS, tiedHead: false });
  expect(line(untied.ops.at(-1)!)).toBe("residual, output_norm -> logits: head output");
});

/** The Q4_0 model with the matrices of these names in Q8_0. */
async function mixedGraph(finer: RegExp): Promise<Graph> {
  const [coarse, fine] = (["Q4_0", "Q8_0"] as const).map((format) => tinyModelParts({ ...OPTIONS, format }));
  const tensors = coarse!.tensors!.map((tensor, index) => (finer.test(tensor.name) ? fine!.tensors![index]! : tensor));
  return buildGraph(await specOfBytes(writeGguf({ ...coarse!, tensors })), "decode");
}

test("values and down projection in a finer format, as in Q4_K_M files, cost decode one dispatch more", async () => {
  const layer = ofLayer(await mixedGraph(/attn_v|ffn_down/), 2);
  expect(layer.slice(0, 2)).toEqual([
    "residual, attn_norm -> qkv: attn_q,attn_k",
    "residual, attn_norm -> qkv from 128: attn_v",
  ]);
  expect(layer.length).toBe(7);
});

test("gate and up of two formats are two products and an activation", async () => {
  expect(ofLayer(await mixedGraph(/ffn_up/), 2).slice(4, 7)).toEqual([
    "residual, ffn_norm -> gateUp: ffn_gate",
    "residual, ffn_norm -> gateUp from 160: ffn_up",
    "gateUp -> gated: gatedActivation",
  ]);
});
