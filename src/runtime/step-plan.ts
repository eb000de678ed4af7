// StepBatch -> the arrays that kernels read, after every check that a runtime owes its caller. Shared by all runtimes
// with paged KV: a batch is refused whole, with nothing changed, or its positions are taken and the plan is carried out.
import { EngineError, throwIfAborted } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { looksBack } from "../sampling/plan.ts";
import type { Sampled } from "../sampling/sampler.ts";
import { acceptDraft } from "./accept.ts";
import type { Draw } from "./draw.ts";
import type { KvPages, PageCopy } from "./kv-pages.ts";
import type { Row, RowResult, RuntimeCapability, RuntimeInfo, StepBatch } from "./runtime.ts";
import { type DrawnRow, drawing, drawnRows, drawOf, entryCount, type KernelRow, kernelRows } from "./step-samples.ts";

export interface StepPlan {
  /** Token rows of the step. */
  readonly rowCount: number;
  /** [rowCount, 4]: token id, position, offset of the sequence's page table in `pages`, 0 or the place of the token instead. */
  readonly rows: Uint32Array<ArrayBuffer>;
  /** Page tables of the batch's sequences, one after the other. */
  readonly pages: Uint32Array<ArrayBuffer>;
  /** Token rows whose logits are computed: first those to be read, ascending, then those that kernels draw from. */
  readonly wanted: Uint32Array<ArrayBuffer>;
  /** How many of `wanted` are to be read. */
  readonly readCount: number;
  /** What the kernels draw by, for the rest of `wanted`. */
  readonly kernelRows: readonly KernelRow[];
  /** What becomes of them, for each row of the batch. */
  readonly deals: readonly Deal[];
  /** For each row of the batch, the token that it was fed where that was still on its way. */
  readonly follows: readonly (Draw | undefined)[];
  /** For each row of the batch, what others may follow. */
  readonly draws: readonly (Draw | undefined)[];
  /** To be performed in every layer before the step writes. */
  readonly copies: readonly PageCopy[];
}

type Deal =
  | { readonly to: "caller"; readonly count: number }
  | { readonly to: "sampler"; readonly rows: readonly DrawnRow[]; readonly draft: readonly number[] }
  | { readonly to: "kernels"; readonly draft: readonly number[] };

/** What a runtime's kernels can draw by in one step; where there are none, all rows are drawn from logits that are read. */
export interface KernelRoom {
  readonly entries: number;
  /** Word of their results at which tokens begin, one for each page of keys and values: what followed its last position. */
  readonly tokensAt: number;
}

/**
 * Checks the batch and appends its tokens to their sequences.
 * @throws EngineError `aborted`, `unsupported_parameter`, `budget_exceeded`, `invalid_request`, `context_length_exceeded`,
 *   `out_of_memory`; nothing has changed then
 */
export function planStep(
  batch: StepBatch,
  kv: KvPages,
  info: RuntimeInfo,
  signal?: AbortSignal,
  kernels?: KernelRoom,
): StepPlan {
  throwIfAborted(signal);
  for (const row of batch.rows) refuseUnsupported(row, info.capabilities);
  const ids = batch.rows.map((row) => checkedIds(row, kv, info.vocabSize));
  const draws = batch.rows.map(({ want }): Draw | undefined =>
    want === "sample" && batch.id !== undefined ? { step: batch.id } : undefined,
  );
  const rowCount = ids.reduce((sum, part) => sum + part.length, 0);
  const limit = info.maxRows[batch.stage];
  if (rowCount > limit)
    throw new EngineError("budget_exceeded", `A ${batch.stage} step takes up to ${limit} tokens, not ${rowCount}.`, {
      details: { budget: `tokens of a ${batch.stage} step`, limit },
    });

  const starts = batch.rows.map((row) => kv.length(row.sequence));
  ids.forEach((part, index) => {
    const length = starts[index]! + part.length;
    if (length > info.contextLength)
      throw new EngineError(
        "context_length_exceeded",
        `The model holds ${info.contextLength} tokens, and this sequence would have ${length}; shorten the conversation.`,
        { details: { contextLength: info.contextLength, promptTokens: length } },
      );
  });
  const copies = kv.append(
    batch.rows.map(({ sequence }, index) => ({ sequence, ids: ids[index]!, made: batch.stage, draw: draws[index] })),
  );

  const rows = new Uint32Array(rowCount * 4);
  const pages: number[] = [];
  const read: number[] = [];
  const drawn: number[] = [];
  const drawnByKernels: KernelRow[] = [];
  const deals: Deal[] = [];
  let room = kernels?.entries ?? 0;
  let at = 0;
  batch.rows.forEach((row, index) => {
    const part = ids[index]!;
    part.forEach((id, offset) => {
      const [token, place] = typeof id === "number" ? [id, 0] : [id.token ?? 0, id.place ?? 0];
      rows.set([token, starts[index]! + offset, pages.length, place], (at + offset) * 4);
    });
    const table = kv.table(row.sequence);
    pages.push(...table);
    at += part.length;
    if (row.want === "sample" || row.want === "verify") {
      const draft = row.want === "verify" ? (part.slice(1) as number[]) : [];
      const forSampler = drawnRows(row, draft);
      // A page that the row has just written is its own: so is the word, which of a draft's tokens the last may have.
      const place = kernels && kernels.tokensAt + table.at(-1)!;
      const forKernels = place && kernelRows(forSampler, info.vocabSize, room, place);
      for (let token = at - forSampler.length; token < at; token++) (forKernels ? drawn : read).push(token);
      if (forKernels) {
        drawnByKernels.push(...forKernels);
        room -= entryCount(forKernels);
        if (draws[index]) draws[index].place = place;
      }
      deals.push(forKernels ? { to: "kernels", draft } : { to: "sampler", rows: forSampler, draft });
    } else {
      const count = typeof row.want === "string" ? 0 : row.want.at === "all" ? part.length : 1;
      for (let token = at - count; token < at; token++) read.push(token);
      deals.push({ to: "caller", count });
    }
  });
  return {
    rowCount,
    rows,
    pages: Uint32Array.from(pages),
    wanted: Uint32Array.from([...read, ...drawn]),
    readCount: read.length,
    kernelRows: drawnByKernels,
    deals,
    follows: ids.map(([first]) => (typeof first === "number" ? undefined : first)),
    draws,
    copies,
  };
}

/**
 * Deals what was computed to the rows of the batch. Draws that they follow have to be known by now; its own are from here on.
 * @param logits of the rows to be read, in the plan's order
 * @param drawn gives what the kernels drew, in the plan's order
 */
export function dealRows(
  plan: StepPlan,
  logits: readonly Float32Array[],
  drawn: readonly (() => Sampled)[] = [],
): RowResult[] {
  invariant(logits.length === plan.readCount, `${logits.length} rows of logits for ${plan.readCount} wanted`);
  invariant(drawn.length === plan.kernelRows.length, `${drawn.length} tokens for ${plan.kernelRows.length} wanted`);
  let nextLogits = 0;
  let nextDrawn = 0;
  const dealt = (deal: Deal): RowResult => {
    switch (deal.to) {
      case "caller":
        nextLogits += deal.count;
        return deal.count === 0 ? {} : { logits: logits.slice(nextLogits - deal.count, nextLogits) };
      case "sampler": {
        const first = nextLogits;
        nextLogits += deal.rows.length;
        return drawing(() => acceptDraft(deal.draft, (place) => drawOf(logits[first + place]!, deal.rows[place]!)));
      }
      case "kernels": {
        const first = nextDrawn;
        nextDrawn += deal.draft.length + 1;
        return drawing(() => acceptDraft(deal.draft, (place) => drawn[first + place]!()));
      }
      default:
        return deal satisfies never;
    }
  };
  return plan.deals.map((deal, index) => {
    const own = dealt(deal);
    const fault = plan.follows[index]?.fault ?? own.fault;
    const draw = plan.draws[index];
    if (draw) Object.assign(draw, { fault, token: own.tokens?.[0]?.token } satisfies Partial<Draw>);
    return fault ? { fault } : own;
  });
}

function refuseUnsupported(row: Row, capabilities: ReadonlySet<RuntimeCapability>): void {
  const asked: RuntimeCapability[] = [];
  if ("sampledBy" in row.input) asked.push("sampledBy");
  if ("embeddings" in row.input) asked.push("embeddings");
  if (row.want === "sample" || row.want === "verify") asked.push(row.want);
  else if (row.want !== "none") asked.push("logits" in row.want ? "logits" : "logprobs");
  const missing = asked.find((capability) => !capabilities.has(capability));
  if (missing)
    throw new EngineError(
      "unsupported_parameter",
      `This runtime cannot do "${missing}"; what it can is ${[...capabilities].join(", ")}.`,
    );
}

function checkedIds(row: Row, kv: KvPages, vocabSize: number): (number | Draw)[] {
  if ("sampledBy" in row.input) {
    invariant(!row.plan || !looksBack(row.plan), "the plan looks back at a token on its way");
    const draw = kv.drawn(row.sequence);
    const { place, token, fault } = draw ?? {};
    if (draw?.step === row.input.sampledBy && (place ?? token ?? fault) !== undefined) return [draw];
    throw new EngineError("invalid_request", `No token of step ${row.input.sampledBy} is this sequence's next.`);
  }
  invariant("ids" in row.input, "planStep takes token ids; other inputs need a runtime that resolves them first");
  const ids = Array.from(row.input.ids);
  invariant(ids.length > 0, "a row of a step has at least one token");
  const strange = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (strange !== undefined)
    throw new EngineError("invalid_request", `Token ${strange} is not in the model's vocabulary of ${vocabSize}.`);
  return ids;
}
