// Seeded requests, right and wrong, to a scripted engine: each ends as a sound answer or as a refusal that names its field.
// `npm test` runs a few, `npm run fuzz:request` as many as one likes.
import { inspect, isDeepStrictEqual } from "node:util";
import type { ChatCompletionChunk, ChatCompletionCreateParams } from "../../src/api/types.ts";
import type { ControlledStream } from "../../src/base/controlled-stream.ts";
import { isEngineError } from "../../src/base/errors.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import { openAIFaults } from "../api/openai-schema.ts";
import { certain, END, openUnjudged, type Script, scattered } from "../engine/scripted-runtime.ts";
import { createRandom } from "../fixtures/random.ts";
import { type Answer, type Asked, addedUp, answerFaults, streamFaults } from "./answer-faults.ts";
import { fuzzedRequest } from "./mutations.ts";
import { names } from "./paths.ts";
import { shrunk } from "./shrink.ts";

export interface FuzzOptions {
  readonly seed: number;
  /** Index of the first request; default: 0. */
  readonly first?: number;
  readonly count: number;
  /** Judge every answer, and the chunks of streams, by OpenAI's schema too. */
  readonly schema?: boolean;
}

export interface FuzzSummary {
  readonly accepted: number;
  /** By wire code. */
  readonly refused: ReadonlyMap<string, number>;
  readonly failures: readonly FuzzFailure[];
}

export interface FuzzFailure {
  readonly index: number;
  readonly fault: string;
  /** The least request that fails in the same way. */
  readonly request: string;
}

const MODEL = "tiny";
/** Prompts of long texts do not fit it, so that this refusal is met too. */
const CONTEXT_LENGTH = 320;
const ANSWER_LENGTH = 4;
/** Turns of the event loop, far more than the longest answer takes: 128 choices, four at a time, to the end of the context. */
const MOST_TURNS = 100_000;
/** One bug is enough to read at a time. */
const MOST_FAILURES = 5;
const MOST_MESSAGE_CHARACTERS = 2000;

export async function fuzzRequests({ seed, first = 0, count, schema = true }: FuzzOptions): Promise<FuzzSummary> {
  const judge = await createJudge(schema);
  const refused = new Map<string, number>();
  const failures: FuzzFailure[] = [];
  let accepted = 0;
  for (let index = first; index < first + count && failures.length < MOST_FAILURES; index++) {
    const body = requestOf(seed, index);
    const { outcome, fault } = await judge(body);
    if (outcome === "accepted") accepted++;
    else refused.set(outcome, (refused.get(outcome) ?? 0) + 1);
    if (fault === undefined) continue;
    const kind = kindOf(fault);
    const least = await shrunk(body, async (smaller) => {
      const { fault: other } = await judge(smaller);
      return other !== undefined && kindOf(other) === kind;
    });
    failures.push({ index, fault, request: inspect(least, { depth: 8, maxStringLength: 200, maxArrayLength: 20 }) });
  }
  return { accepted, refused, failures };
}

/** The same on every machine, whatever ran before. */
export function requestOf(seed: number, index: number): unknown {
  return fuzzedRequest(MODEL, createRandom(Math.imul(seed, 0x9e3779b1) ^ index));
}

interface Verdict {
  /** `accepted`, or the wire code of the refusal. */
  readonly outcome: string;
  readonly fault?: string;
}

/** Random words, characters that are none, and an end. */
const SCRIPT: Script = {
  logits: (ids, promptLength) => (ids.length - promptLength < ANSWER_LENGTH ? scattered(ids) : certain(END)),
  contextLength: CONTEXT_LENGTH,
};

async function createJudge(schema: boolean): Promise<(body: unknown) => Promise<Verdict>> {
  const { engine, runtime } = await openUnjudged(SCRIPT, { id: MODEL });
  const completionFaults = schema ? openAIFaults("CreateChatCompletionResponse") : () => [];
  const chunkFaults = schema ? openAIFaults("CreateChatCompletionStreamResponse") : () => [];

  async function answer(body: unknown): Promise<{ answer: Answer; faults: readonly string[] }> {
    const result = await engine.chat.completions.create(body as ChatCompletionCreateParams);
    const asked = body as Asked;
    if (!("controller" in result)) return { answer: result, faults: completionFaults(result) };
    const chunks = await readAll(result);
    const schemaFaults = [chunks[0]!, chunks.at(-1)!, chunks[chunks.length >> 1]!].flatMap(chunkFaults);
    return { answer: addedUp(chunks), faults: [...streamFaults(chunks, asked), ...schemaFaults] };
  }

  return async (body) => {
    try {
      const first = await withinTurns(answer(body));
      const other = await withinTurns(answer(otherMode(body)));
      const faults = [...first.faults, ...other.faults, ...answerFaults(first.answer, body as Asked)];
      if (isSeeded(body) && !isDeepStrictEqual(content(first.answer), content(other.answer)))
        faults.push("streamed and plain answers differ");
      if (runtime.openCount > 0) faults.push(`${runtime.openCount} sequences are left open`);
      return { outcome: "accepted", ...(faults.length > 0 && { fault: faults.join("; ") }) };
    } catch (error) {
      const fault = refusalFault(error, body) ?? (runtime.openCount > 0 ? "sequences are left open" : undefined);
      const outcome = isEngineError(error) ? error.toOpenAI().code! : "no EngineError";
      return { outcome, ...(fault !== undefined && { fault }) };
    }
  };
}

/** Undefined for a typed refusal with all that it has to say. */
function refusalFault(error: unknown, body: unknown): string | undefined {
  if (!isEngineError(error)) return `no EngineError: ${error instanceof Error ? error.stack : inspect(error)}`;
  const { message, param, code } = error.toOpenAI();
  if (error.status !== 400 && error.status !== 404) return `status ${error.status}: ${message}`;
  if (error.status === 404 && error.code !== "model_not_found") return `404 for ${error.code}`;
  if (message === "" || message.length > MOST_MESSAGE_CHARACTERS) return `a message of ${message.length} characters`;
  if (!code) return `no code: ${message}`;
  const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
  if (param === null) return isObject ? `no param: ${message}` : undefined;
  return names(body, param) ? undefined : `param '${param.slice(0, 200)}' names nothing: ${message}`;
}

async function readAll(stream: ControlledStream<ChatCompletionChunk>): Promise<ChatCompletionChunk[]> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** The same request, plain if it is streamed, and the other way round. */
function otherMode(body: unknown): unknown {
  const { stream, stream_options, ...rest } = body as { stream?: unknown; stream_options?: unknown };
  return stream ? rest : { ...rest, stream: true, stream_options: { include_usage: true } };
}

const isSeeded = (body: unknown) => ((body as { seed?: unknown }).seed ?? undefined) !== undefined;
const content = ({ choices, prompt_token_ids, prompt_logprobs }: Answer) => ({
  choices,
  prompt_token_ids,
  prompt_logprobs,
});

/** Fails what does not end, counted in turns of the event loop: a slow machine changes nothing. */
async function withinTurns<T>(work: Promise<T>): Promise<T> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  work.then(settle, settle);
  for (let turns = 0; !settled; turns++) {
    if (turns === MOST_TURNS) throw new Error(`no end after ${MOST_TURNS} turns of the event loop`);
    await nextTask();
  }
  return work;
}

/** What two failures have to share to be the same: not the numbers and texts in them. */
function kindOf(fault: string): string {
  return fault.slice(0, 60).replace(/\d+|'[^']*'|"[^"]*"/g, "…");
}
