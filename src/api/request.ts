// unknown -> ChatRequest: the edge where a request is checked. Inside, nothing is checked again, and wire names stop here.
import { EngineError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import type { SamplingOptions } from "../sampling/plan.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { invalid, missing, object, unknown, unsupported } from "./checks.ts";
import { FIELDS, type FieldName, type FieldValues } from "./fields.ts";
import type { RequestMessage } from "./messages.ts";

/** A request, checked, with every default filled in. */
export interface ChatRequest {
  /** As the caller wrote it. */
  readonly model: string;
  readonly messages: readonly RequestMessage[];
  /** The last message is the assistant's, and the answer goes on where it ends. */
  readonly continueFinalMessage: boolean;
  /** `chat_template_kwargs`, and what the template's switches make of `reasoning_effort` and `verbosity`. */
  readonly templateVariables: { readonly [name: string]: Json };
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** How many answers, 1 to 128. */
  readonly choiceCount: number;
  /** Most tokens of one answer; absent: until the context is full. */
  readonly maxTokens?: number;
  readonly stop: readonly string[];
  /** End an answer as the model's own end tokens do. */
  readonly stopTokenIds: readonly number[];
  /** The model's own end tokens are tokens like any other. */
  readonly ignoreEos: boolean;
  /** Of choice 0; the others differ in `choice` alone. */
  readonly sampling: SamplingOptions;
  /** True when the request named a tier, so that the response has to. */
  readonly namesServiceTier: boolean;
  /** How many alternatives to report at each position of the prompt; absent: none of it. */
  readonly promptLogprobs?: number;
  readonly returnTokenIds: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly cacheKey?: string;
  readonly user?: string;
  readonly safetyIdentifier?: string;
}

/** What a request is checked against: the model that is to answer it. */
export interface RequestLimits {
  readonly tokenizer: Pick<Tokenizer, "vocabSize" | "endIds" | "encode">;
  /** Names that the model's chat template reads and nobody but a caller sets (ChatTemplate.variables). */
  readonly templateVariables: ReadonlySet<string>;
}

/**
 * @throws EngineError `invalid_request`, `unsupported_parameter`; `param` and OpenAI's wire code say which field and why.
 *   The first fault is reported: unknown names, then the fields in the table's order, then rules across fields.
 */
export function parseRequest(body: unknown, limits: RequestLimits): ChatRequest {
  const entries = object(body, "");
  for (const name of entries.keys()) if (!Object.hasOwn(FIELDS, name)) throw unknown(name);
  const values = checkFields(entries);
  if (values.model === undefined) throw missing("model");
  if (values.messages === undefined) throw missing("messages");
  checkAcross(values, limits);

  const maxTokens = values.max_completion_tokens ?? values.max_tokens;
  return {
    model: values.model,
    messages: values.messages,
    continueFinalMessage: false,
    templateVariables: {},
    stream: values.stream ?? false,
    includeUsage: values.stream_options?.includeUsage ?? false,
    choiceCount: 1,
    ...(maxTokens !== undefined && { maxTokens }),
    stop: values.stop ?? [],
    stopTokenIds: [],
    ignoreEos: false,
    returnTokenIds: false,
    sampling: samplingOptions(values),
    namesServiceTier: entries.has("service_tier"),
    ...(values.user !== undefined && { user: values.user }),
  };
}

export function requestedModel(body: unknown): string | undefined {
  const name = typeof body === "object" && body !== null ? (body as { model?: unknown }).model : undefined;
  return typeof name === "string" && name !== "" ? name : undefined;
}

function checkFields(entries: ReadonlyMap<string, unknown>): FieldValues {
  const values: Partial<Record<FieldName, unknown>> = {};
  for (const name of Object.keys(FIELDS) as FieldName[]) {
    const value = entries.get(name);
    if (value === undefined) continue;
    const field = FIELDS[name];
    const checked = field.check(value, name);
    if (field.support === "honoured") values[name] = checked;
    else if (!field.passes?.test(value)) throw unsupported(name, field.advice);
  }
  return values as FieldValues;
}

function checkAcross(values: FieldValues, { tokenizer: { vocabSize } }: RequestLimits): void {
  if (values.stream_options !== undefined && values.stream !== true)
    throw invalid("stream_options", "invalid_value", "'stream_options' is only allowed when 'stream' is true.");
  if (values.top_logprobs !== undefined && values.logprobs !== true)
    throw invalid("top_logprobs", "invalid_value", "'top_logprobs' is only allowed when 'logprobs' is true.");
  if (values.max_tokens !== undefined && values.max_completion_tokens !== undefined)
    throw new EngineError(
      "invalid_request",
      "'max_tokens' and 'max_completion_tokens' were both set: they mean the same, so set one.",
      { param: "max_tokens", wireCode: "invalid_value" },
    );
  for (const token of values.logit_bias?.keys() ?? [])
    if (token >= vocabSize)
      throw invalid(
        `logit_bias.${token}`,
        "invalid_value",
        `Invalid key in 'logit_bias': ${token}. This model's token ids end at ${vocabSize - 1}.`,
      );
}

function samplingOptions(values: FieldValues): SamplingOptions {
  return {
    temperature: values.temperature ?? 1,
    topP: values.top_p ?? 1,
    ...(values.top_k && { topK: values.top_k }),
    ...(values.min_p && { minP: values.min_p }),
    frequencyPenalty: values.frequency_penalty ?? 0,
    presencePenalty: values.presence_penalty ?? 0,
    repetitionPenalty: values.repetition_penalty ?? 1,
    logitBias: values.logit_bias ?? new Map(),
    seed: values.seed === undefined ? drawSeed() : BigInt.asUintN(64, BigInt(values.seed)),
    choice: 0,
    ...(values.logprobs && { logprobs: values.top_logprobs ?? 0 }),
  };
}

function drawSeed(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0]!;
}
