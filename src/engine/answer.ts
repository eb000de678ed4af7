// One request from admission to its last chunk: the plain answer is the fold of what the streamed one delivers.
import type { ChatRequest } from "../api/request.ts";
import type { ChatCompletion, ChatCompletionChunk } from "../api/types.ts";
import { AsyncQueue } from "../base/async-queue.ts";
import { type ControlledStream, controlledStream } from "../base/controlled-stream.ts";
import { isEngineError } from "../base/errors.ts";
import { compilePlan } from "../sampling/plan.ts";
import { createChunkBuilder, foldChunks, newCompletionId } from "./chunks.ts";
import { generate } from "./generate.ts";
import type { Session } from "./session.ts";
import { createStopwatch, type RequestStats } from "./stats.ts";

/** A request that passed its checks, with the model that is to answer it. */
export interface Job {
  readonly session: Session;
  readonly request: ChatRequest;
  readonly prompt: Int32Array;
  readonly signal: AbortSignal | undefined;
  /** Gets the figures, once, when the request ends. */
  readonly onStats: (stats: RequestStats) => void;
}

/** Chunks that wait for a slow reader before its sequence is parked. */
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
  /** Resolves, never rejects, when the sequence is free. */
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

/** @param deliver takes a chunk; a promise back means that the next one has to wait for it */
async function run(
  { session, request, prompt, onStats }: Job,
  signal: AbortSignal,
  deliver: (chunk: ChatCompletionChunk) => Promise<void> | undefined,
): Promise<void> {
  const { info, scheduler, tokenizer } = session;
  const id = newCompletionId();
  const watch = createStopwatch(id, prompt.length);
  const builder = createChunkBuilder({
    id,
    created: Math.floor(Date.now() / 1000),
    model: info.id,
    fingerprint: info.fingerprint,
    promptTokens: prompt.length,
    cachedTokens: 0,
    includeUsage: request.includeUsage || !request.stream,
    namesServiceTier: request.namesServiceTier,
    logprobs: request.sampling.logprobs !== undefined,
  });
  let finish: RequestStats["finish"] = "error";
  try {
    const lane = await scheduler.admit(signal);
    try {
      watch.admitted();
      const handOver = async (chunk: ChatCompletionChunk) => {
        const room = deliver(chunk);
        if (room) await lane.park(room);
      };
      await handOver(builder.start());
      const events = generate(lane, tokenizer, {
        prompt,
        plan: compilePlan(request.sampling),
        limit: Math.min(request.maxTokens ?? Number.POSITIVE_INFINITY, info.contextLength - prompt.length),
        stops: request.stop,
      });
      for await (const event of events) {
        if (event.type === "token") watch.token();
        if (event.type === "finish") {
          finish = event.reason;
          watch.finished(event.completionTokens);
        }
        for (const chunk of builder.chunksOf(event)) await handOver(chunk);
      }
    } finally {
      lane.release();
    }
  } catch (error) {
    finish = isEngineError(error) ? error.code : "error";
    throw error;
  } finally {
    onStats(watch.stats(finish));
  }
}
