// The Runtime seam: token ids in, logits or sampled tokens out. A runtime owns KV memory and its reuse; it knows no text.
// What a runtime cannot do it says in `info`, and refuses with a typed error when asked all the same.
import type { EngineError } from "../base/errors.ts";
import type { SamplingPlan, SamplingStepName } from "../sampling/plan.ts";
import type { Sampled, TokenHistory } from "../sampling/sampler.ts";

export interface PrefixMatch {
  /** Prefixes of another key are not found. */
  readonly isolation: string;
  /** Finds what prefill made alone: decode's bits may differ, and with them an answer would depend on what is held. */
  readonly exact: boolean;
  /** Until then others are dropped before what this sequence holds; milliseconds since 1970. */
  readonly protectedUntil?: number;
}

declare const sequenceBrand: unique symbol;
declare const stepBrand: unique symbol;
/** One sequence: token ids with their KV. */
export type SequenceId = number & { readonly [sequenceBrand]: true };
/** One step, for rows that follow it. */
export type StepId = number & { readonly [stepBrand]: true };

export interface RuntimeInfo {
  readonly vocabSize: number;
  /** Most tokens that one sequence may hold. */
  readonly contextLength: number;
  readonly maxSequences: number;
  /** Positions whose memory a fork shares, or does not, as one. */
  readonly pageLength: number;
  /** Most tokens in one step, by stage. */
  readonly maxRows: { readonly prefill: number; readonly decode: number };
  /** Most tokens of one sequence that are worth guessing at in one step, with the one before them: at most `maxRows.decode`. */
  readonly draftRows: number;
  /** Steps with sampled tokens that it has under way together; a further one waits. 1 where none can follow an unfinished one. */
  readonly stepsInFlight: number;
  /**
   * The sampling steps that it does where the logits are. With all those of a plan in here, `want: "sample"` and `want: "verify"`,
   * which it has then, save reading them; with others they give the same tokens, and save nothing.
   */
  readonly samplingSteps: readonly SamplingStepName[];
  readonly capabilities: ReadonlySet<RuntimeCapability>;
  /** Whatever can change a bit of the output: adapter, features, kernels, formats. Part of `system_fingerprint`. */
  readonly fingerprint: Readonly<Record<string, string>>;
}

/** `logits`: full rows · `sample`, `verify`, `logprobs`: see RowWant · `sampledBy`, `embeddings`: see RowInput · `match`: finds held prefixes. */
export type RuntimeCapability = "logits" | "logprobs" | "sample" | "verify" | "sampledBy" | "embeddings" | "match";

export type RowInput =
  | { readonly ids: ArrayLike<number> }
  /** The token that an earlier, perhaps unfinished step sampled for this sequence, whose last row that was. */
  | { readonly sampledBy: StepId }
  | {
      /** [rows, hiddenSize] */
      readonly embeddings: Float32Array;
      /** Stands for the embeddings in the prefix hash chain. */
      readonly contentHash: string;
      readonly positions: ArrayLike<number>;
      readonly attention: "causal" | "bidirectional";
    };

export type RowWant =
  | "none"
  /** The token after the row's last. */
  | "sample"
  /** The row's ids after its first are a draft: the token after the first, and after each as long as the draft is right. */
  | "verify"
  | { readonly logits: true; readonly at: "last" | "all" }
  /** The best `logprobs` tokens of each position, by raw log-softmax. */
  | { readonly logprobs: number; readonly at: "last" | "all" };

/** Consecutive tokens of one sequence. */
export interface Row {
  readonly sequence: SequenceId;
  readonly input: RowInput;
  /** With `sample` and `verify`: what tokens are drawn by. */
  readonly plan?: SamplingPlan;
  /**
   * With `sample` and `verify`: the prompt and the tokens sampled so far, the row's own included, but not those of a draft.
   * Unchanged until the step settles. With `sampledBy`, `sampled` need only have the right length: plans that look at the tokens
   * themselves cannot follow.
   */
  readonly history?: TokenHistory;
  /** Allowed tokens, one bit each, low bit first: [ceil(vocabSize / 32)]. */
  readonly mask?: Uint32Array;
  readonly want: RowWant;
}

/**
 * One step is one pass of one kernel family: `decode` (1 to 16 tokens in all, decode and verify rows) takes the mat-vec
 * family, `prefill` the mat-mul family, even for a single token. No output depends on what else is in the batch.
 */
export interface StepBatch {
  readonly stage: "prefill" | "decode";
  readonly rows: readonly Row[];
  /**
   * The caller's own name for the step, never used again; absent: no row follows it. It is the caller's since `step` resolves
   * too late to tell one, and it lets a runtime tell that the step before came to nothing.
   */
  readonly id?: StepId;
}

/** Others who want steps while a prefill is under way. */
export interface Meanwhile {
  /** How long each part of the prefill may take, in milliseconds. */
  readonly patienceMs: number;
  /** Called between parts; the prefill goes on when it resolves. Never rejects. */
  run(): Promise<void>;
}

export interface RowResult {
  /** One array of [vocabSize] for each wanted position, in order. The caller owns them. */
  readonly logits?: readonly Float32Array[];
  /** For each wanted position, best first. */
  readonly logprobs?: readonly (readonly { readonly token: number; readonly logprob: number }[])[];
  /**
   * Sampled tokens, with the logprobs that their plan asks for: to the bit what the CPU sampler gives. More than one where tokens
   * of a draft were right; those are in it, and the sequence has all of the draft until it is rewound.
   */
  readonly tokens?: readonly Sampled[];
  /** In place of all else, why this row alone has no tokens: `numeric_fault`, `grammar_dead_end`. So have those that follow it. */
  readonly fault?: EngineError;
}

export interface StepResult {
  /** In the order of the batch's rows. */
  readonly rows: readonly RowResult[];
}

export interface Runtime {
  readonly info: RuntimeInfo;
  /** Resolves, never rejects, when the runtime can no longer work: `device_lost`, `worker_crashed`. */
  readonly lost: Promise<EngineError>;
  /** A new, empty sequence, whose content nobody will find. @throws EngineError `out_of_memory` when `maxSequences` are open, `disposed` */
  open(): SequenceId;
  /**
   * A sequence that already holds the longest known prefix of `ids` but the last one; `length` tokens of it need no prefill.
   * What it comes to hold will be found by others with the same isolation key.
   * @throws EngineError as `open`
   */
  match(ids: ArrayLike<number>, search: PrefixMatch): Promise<{ sequence: SequenceId; length: number }>;
  /**
   * Appends the rows to their sequences and computes what they want. May be called before earlier steps have settled;
   * steps take effect in call order.
   * @param meanwhile who gets the runtime while a prefill step is under way: decode steps of other sequences may be called then
   * @throws EngineError `context_length_exceeded`, `out_of_memory`, `device_lost`, `numeric_fault`, `aborted`,
   *   `unsupported_parameter` for a capability that `info` lacks, `budget_exceeded` for more tokens than `maxRows`,
   *   `invalid_request` for a token outside the vocabulary, or of a step that sampled none, `disposed`
   */
  step(batch: StepBatch, signal?: AbortSignal, meanwhile?: Meanwhile): Promise<StepResult>;
  /** A new sequence with the same content; pages are shared until one side writes. */
  fork(sequence: SequenceId): Promise<SequenceId>;
  /** Cuts to `length` tokens; returns the length really kept, which may be less where state cannot be cut anywhere. */
  rewind(sequence: SequenceId, length: number): Promise<number>;
  free(sequence: SequenceId): void;
  dispose(): void;
}
