// unknown -> ChatRequest: the edge where a request is checked. Inside, nothing is checked again, and wire names stop here.
import type { Json } from "../base/json.ts";
import type { SamplingOptions } from "../sampling/plan.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { missing, object, unknown } from "./checks.ts";
import type { FieldRow } from "./field-row.ts";
import { FIELDS, type FieldName, type FieldValues } from "./fields.ts";
import type { RequestMessage } from "./messages.ts";
import { checkRules, isContinuable } from "./rules.ts";
import { samplingOptions } from "./sampling-options.ts";
import { templateVariables } from "./switches.ts";

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
  /** Who goes before whom. */
  readonly tier: Tier;
  /** True when the request named a tier, so that the response has to. */
  readonly namesServiceTier: boolean;
  /** How many alternatives to report at each position of the prompt; absent: none of it. */
  readonly promptLogprobs?: number;
  readonly returnTokenIds: boolean;
  /** Text that the answer will largely be: a guess at its tokens, which no answer depends on. */
  readonly prediction?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly cache: CacheRequest;
  readonly user?: string;
  readonly safetyIdentifier?: string;
}

/** The tiers that there are, first to last: `flex` runs when nothing else does. */
export type Tier = "priority" | "default" | "flex";

/** How a request's prefixes are found and kept. */
export interface CacheRequest {
  /** The answer has to be the same whatever is held: a seed was given, or no choice is left to chance. */
  readonly exact: boolean;
  /** How long what it computes is kept before other things; absent: like everything else. */
  readonly lifetimeMs?: number;
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
  checkRules(values, limits);

  const maxTokens = values.max_completion_tokens ?? values.max_tokens;
  return {
    model: values.model,
    messages: values.messages,
    continueFinalMessage: values.continue_final_message ?? isContinuable(values.messages),
    templateVariables: templateVariables(values, limits.templateVariables),
    stream: values.stream ?? false,
    includeUsage: values.stream_options?.include_usage ?? false,
    choiceCount: values.n ?? 1,
    ...(maxTokens !== undefined && { maxTokens }),
    stop: values.stop ?? [],
    stopTokenIds: [...new Set(values.stop_token_ids)],
    ignoreEos: values.ignore_eos ?? false,
    sampling: samplingOptions(values, limits),
    tier: TIERS[values.service_tier ?? "auto"],
    namesServiceTier: values.service_tier !== undefined,
    ...(values.prompt_logprobs !== undefined && { promptLogprobs: values.prompt_logprobs }),
    returnTokenIds: values.return_token_ids ?? false,
    ...(values.prediction !== undefined && { prediction: values.prediction }),
    ...(values.metadata && { metadata: values.metadata }),
    cache: cacheRequest(values),
    ...(values.user !== undefined && { user: values.user }),
    ...(values.safety_identifier !== undefined && { safetyIdentifier: values.safety_identifier }),
  };
}

/** The model that a body names, before anything is checked: its limits are what the rest is checked against. */
export function requestedModel(body: unknown): string | undefined {
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, "model")) return undefined;
  const { model } = body as { readonly model?: unknown };
  return typeof model === "string" && model !== "" ? model : undefined;
}

/** What serves each of the names; OpenAI reports `fast` as `priority`. */
const TIERS = {
  auto: "default",
  default: "default",
  scale: "default",
  flex: "flex",
  priority: "priority",
  fast: "priority",
} as const satisfies Record<string, Tier>;

const MINUTE_MS = 60_000;

function cacheRequest(values: FieldValues): CacheRequest {
  const day = values.prompt_cache_retention === "24h";
  const named = values.prompt_cache_key !== undefined || values.prompt_cache_options?.ttl !== undefined;
  return {
    exact: values.seed !== undefined || values.temperature === 0,
    ...((day || named) && { lifetimeMs: (day ? 24 * 60 : 30) * MINUTE_MS }),
  };
}

function checkFields(entries: ReadonlyMap<string, unknown>): FieldValues {
  const values: Partial<Record<FieldName, unknown>> = {};
  for (const [name, field] of Object.entries<FieldRow>(FIELDS)) {
    const value = entries.get(name);
    if (value === undefined) continue;
    const checked = field.check(value, name);
    const refusal = field.support === "refused" ? field.refusal(checked, name) : undefined;
    if (refusal) throw refusal;
    values[name as FieldName] = checked;
  }
  return values as FieldValues;
}
