// The vocabulary of architectures: what a model is made of, as data. Adapters write it, graph.ts reads it, nobody else
// asks which architecture a model has. Only members that graph.ts builds are in here.
import type { TensorFormat } from "../gguf/tensor-types.ts";
import type { RopeScaling } from "../kernels/rope-table.ts";

/** A matrix of the file: `rows` outputs of `columns` inputs each, by its GGUF name. */
export interface MatrixRef {
  readonly tensor: string;
  readonly rows: number;
  readonly columns: number;
  readonly format: TensorFormat;
}

/** A vector of the file (norm weight, bias, rope factors), by its GGUF name. */
export interface VectorRef {
  readonly tensor: string;
  readonly length: number;
  readonly format: TensorFormat;
}

/** A matrix and its optional bias, [rows]. */
export interface LinearSpec {
  readonly weight: MatrixRef;
  readonly bias?: VectorRef;
}

/** Which keys a query sees: all before it, or the last `sliding` positions, its own included. */
export type AttentionWindow = "full" | { readonly sliding: number };

export interface RopeSpec {
  /** Rotated pairs are dimensions (2i, 2i + 1), or (i, i + dimension / 2). */
  readonly layout: "interleaved" | "halves";
  readonly base: number;
  /** How many leading dimensions of a head are rotated; even, at most headDim. */
  readonly dimension: number;
  readonly scaling: RopeScaling;
  /** Divisors of the frequencies, [dimension / 2], where the file carries them. */
  readonly factors?: VectorRef;
}

/** What gates the feed-forward: `act(gate) * up`. */
export type Activation = "silu" | "gelu" | "gelu_tanh" | "relu";

export interface AttentionSpec {
  /** RMS norm before the projections, [hiddenSize]. */
  readonly norm: VectorRef;
  /** [headCount * headDim, hiddenSize] */
  readonly query: LinearSpec;
  /** [kvHeadCount * headDim, hiddenSize] */
  readonly key: LinearSpec;
  /** [kvHeadCount * headDim, hiddenSize] */
  readonly value: LinearSpec;
  /** RMS norms of each query and key head before rope, [headDim]. */
  readonly queryNorm?: VectorRef;
  readonly keyNorm?: VectorRef;
  readonly window: AttentionWindow;
  /** [hiddenSize, headCount * headDim] */
  readonly output: LinearSpec;
}

/** The one feed-forward so far; a mixture of experts will be another member. */
export interface FeedForwardSpec {
  readonly kind: "dense";
  /** RMS norm before the projections, [hiddenSize]. */
  readonly norm: VectorRef;
  readonly activation: Activation;
  /** [intermediateSize, hiddenSize] */
  readonly gate: LinearSpec;
  /** [intermediateSize, hiddenSize] */
  readonly up: LinearSpec;
  /** [hiddenSize, intermediateSize] */
  readonly down: LinearSpec;
}

export interface LayerSpec {
  readonly attention: AttentionSpec;
  readonly feedForward: FeedForwardSpec;
}

/** A pre-norm decoder with grouped-query attention: all that a runtime needs to know about a model. */
export interface ModelSpec {
  /** GGUF's string, for messages and fingerprints only. */
  readonly architecture: string;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  /** Divides headCount. */
  readonly kvHeadCount: number;
  readonly headDim: number;
  readonly vocabSize: number;
  /** Trained context in tokens: the most that a runtime may offer. */
  readonly contextLength: number;
  /** Added to the mean square in every RMS norm. */
  readonly normEpsilon: number;
  /** Scores are `attentionScale * q.k`; 1 / sqrt(headDim) unless the file says otherwise. */
  readonly attentionScale: number;
  readonly rope: RopeSpec;
  /** [vocabSize, hiddenSize] */
  readonly embedding: MatrixRef;
  readonly layers: readonly LayerSpec[];
  /** RMS norm before the head, [hiddenSize]. */
  readonly outputNorm: VectorRef;
  /** [vocabSize, hiddenSize]; the embedding itself when the file ties them. */
  readonly head: MatrixRef;
}
