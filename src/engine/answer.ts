// One request from admission to its last chunk: one prefill, then its choices, each on a lane of its own. The plain answer is
// the fold of what the streamed one delivers.
import type { ChatRequest } from "../api/request.ts";
import type { ChatCompletion, ChatCompletionChunk, FinishReason } from "../api/types.ts";
import { AsyncQueue } from "../base/async-queue.ts";
import { type ControlledStream, controlledStream } from "../base/controlled-stream.ts";
import { isEngineError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { compilePlan } from "../sampling/plan.ts";
import { forEachChoice } from "./choices.ts";
import { type ChunkHead, createChunkBuilder, newCompletionId } from "./chunks.ts";
import type { LaneRequest } from "./desk.ts";
import { createDrafter } from "./draft.ts";
import { foldChunks } from "./fold.ts";
import { type GenerationInput, generate } from "./generate.ts";
import { createHandOver, type Deliver } from "./hand-over.ts";
import type { Lane } from "./lane.ts";
import { createPromptLogprobs } from "./prompt-logprobs.ts";
import type { Session } from "./session.ts";
import { createStopwatch, type RequestStats } from "./stats.ts";

/** A request that passed its checks, with the model that is to answer it. */
export interface Job {
  readonly session: Session;
  readonly request: ChatRequest;
  readonly prompt: Int32Array;
  /** Tokens that the answer will largely be. */
  readonly prediction: Int32Array | undefined;
  /** Where drafts come from when there is no prediction, or where it does not apply. */
  readonly speculate: Speculation;
  readonly signal: AbortSignal | undefined;
  /** Gets the figures, once, when the request ends. */
  readonly onStats: (stats: RequestStats) => void;
}

/** `lookup`: what followed the same tokens in the prompt or the answer before is tried first. It never changes an answer. */
export type Speculation = "off" | "lookup";

/** Chunks that wait for a slow reader before its sequences are parked. */
const MAX_BUFFERED_CHUNKS = 64;

/** The whole answer. @throws EngineError */
export async function answerPlain(job: Job): Promise<ChatCompletion> {
  const chunks: ChatCompletionChunk[] = [];
  await run(job, job.signal ?? new AbortController().signal, (chunk) => {
    chunks.push(chunk);
    return undefined;
  });
  return foldChunks(chunks);
}

export interface StreamedAnswer {
  readonly stream: ControlledStream<ChatCompletionChunk>;
  /** Resolves, never rejects, when the sequences are free. */
  readonly ended: Promise<void>;
}

/** The answer as it comes. It begins at once, whether or not it is read. */
export function answerStreamed(job: Job): StreamedAnswer {
  const { signal } = job;
  const controller = new AbortController();
  const follow = () => controller.abort(signal?.reason);
  if (signal?.aborted) follow();
  signal?.addEventListener("abort", follow, { once: true });
  const queue = new AsyncQueue<ChatCompletionChunk>(MAX_BUFFERED_CHUNKS, (): Promise<void> => {
    controller.abort();
    return ended;
  });
  const ended: Promise<void> = run(job, controller.signal, (chunk) => queue.push(chunk))
    .then(
      () => queue.close(),
      (error) => queue.fail(error),
    )
    .finally(() => signal?.removeEventListener("abort", follow));
  return { stream: controlledStream(queue, controller), ended };
}

async function run(job: Job, signal: AbortSignal, deliver: Deliver): Promise<void> {
  const { session, request, prompt, onStats } = job;
  const { scheduler, runtime, tokenizer } = session;
  const id = newCompletionId();
  const watch = createStopwatch(id, prompt.length);
  const builder = createChunkBuilder(headOf(job, id));
  const handOver = createHandOver(deliver);
  const failed = new AbortController();
  let finish: RequestStats["finish"] = "error";
  try {
    const lanes = await scheduler.admit(runtime, laneRequest(job), AbortSignal.any([signal, failed.signal]));
    try {
      watch.admitted(lanes.cachedTokens);
      const report =
        request.promptLogprobs === undefined
          ? undefined
          : createPromptLogprobs(prompt, request.promptLogprobs, tokenizer);
      const sampleFirst = await lanes.first.prefill(report?.onLogits);
      const opening = { ids: prompt, ...(report && { logprobs: report.result() }) };
      const answerOne = async (lane: Lane, index: number) => {
        const plan = compilePlan({ ...request.sampling, choice: index });
        const first = sampleFirst(plan);
        await handOver(builder.open(index, opening), lane.park);
        let reason: FinishReason | undefined;
        for await (const event of generate(lane, tokenizer, { plan, first, ...inputOf(job) })) {
          watch.saw(event);
          const chunk = builder.chunkOf(index, event);
          if (chunk) await handOver(chunk, lane.park);
          if (event.type === "finish") reason = event.reason;
        }
        invariant(reason, "the last event of an answer is its finish");
        return reason;
      };
      const reasons = await forEachChoice(request.choiceCount, lanes, () => failed.abort(), answerOne);
      const usage = builder.usage(lanes.cachedTokens);
      if (usage) await handOver(usage, lanes.wait);
      finish = reasons.includes("length") ? "length" : "stop";
    } finally {
      lanes.release();
    }
  } catch (error) {
    finish = isEngineError(error) ? error.code : "error";
    throw error;
  } finally {
    onStats(watch.stats(finish));
  }
}

/** A request that asks for logits of its prompt needs all of it computed. */
function laneRequest({ session, request, prompt }: Job): LaneRequest {
  const { cache, choiceCount, promptLogprobs, safetyIdentifier, tier, user } = request;
  const base = { prompt, wanted: choiceCount, tier };
  if (promptLogprobs !== undefined || !session.runtime.info.capabilities.has("match")) return base;
  return {
    ...base,
    search: {
      isolation: session.isolateUsers ? (safetyIdentifier ?? user ?? "") : "",
      exact: cache.exact,
      ...(cache.lifetimeMs !== undefined && { protectedUntil: Date.now() + cache.lifetimeMs }),
    },
  };
}

function headOf({ session, request, prompt }: Job, id: string): ChunkHead {
  return {
    id,
    created: Math.floor(Date.now() / 1000),
    model: session.info.id,
    fingerprint: session.info.fingerprint,
    promptTokens: prompt.length,
    includeUsage: request.includeUsage || !request.stream,
    ...(request.namesServiceTier && { serviceTier: request.tier }),
    logprobs: request.sampling.logprobs !== undefined,
    tokenIds: request.returnTokenIds,
  };
}

/** What ends an answer, and what may make it come sooner. */
function inputOf(job: Job): Pick<GenerationInput, "limit" | "stops" | "endIds" | "drafter"> {
  const { session, request, prompt, prediction, speculate } = job;
  const { info, tokenizer } = session;
  const endIds = new Set([...(request.ignoreEos ? [] : tokenizer.endIds), ...request.stopTokenIds]);
  return {
    limit: Math.min(request.maxTokens ?? Number.POSITIVE_INFINITY, info.contextLength - prompt.length),
    stops: request.stop,
    endIds,
    drafter: createDrafter({ prompt, prediction, lookup: speculate === "lookup", endIds }),
  };
}
