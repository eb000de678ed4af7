// Of every way: what is refused, and how it is said.
import { equal } from "./claims.ts";
import { type Check, type Fields, type Refusal, refusalOf } from "./trial.ts";
import type { Way } from "./way.ts";

const REFUSED: [what: string, fields: Fields, refusal: Refusal][] = [
  ["a number that is too large", { temperature: 3 }, invalid("temperature", "decimal_above_max_value")],
  ["a number that is too small", { max_tokens: 0 }, invalid("max_tokens", "integer_below_min_value")],
  ["a wrong type", { stop: [1] }, invalid("stop[0]", "invalid_type")],
  ["no messages", { messages: undefined }, invalid("messages", "missing_required_parameter")],
  ["a role that there is not", { messages: [{ role: "robot", content: "" }] }, invalid("messages[0].role", "invalid_value")],
  ["a field that there is not", { stopp: "a" }, invalid("stopp", "unknown_parameter")],
  ["an image", imageRequest(), invalid("messages[0].content[0].type", "unsupported_parameter")],
  ["stream_options without a stream", { stream_options: {} }, invalid("stream_options", "invalid_value")],
  ["too long a prompt", longRequest(), invalid("messages", "context_length_exceeded")],
  ["a model that is not loaded", { model: "absent" }, { ...invalid("model", "model_not_found"), status: 404 }],
  // What the issues about tools, JSON and stored completions will answer.
  ["tools", { tools: [{ type: "function", function: { name: "f" } }] }, invalid("tools", "unsupported_parameter")],
  ["JSON", { response_format: { type: "json_object" } }, invalid("response_format", "unsupported_parameter")],
  ["storing", { store: true }, invalid("store", "unsupported_parameter")],
]; // biome-ignore format: a table

function invalid(param: string, code: string): Refusal {
  return { status: 400, type: "invalid_request_error", param, code };
}

function imageRequest(): Fields {
  const url = "data:image/png;base64,";
  return { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }] };
}

function longRequest(): Fields {
  return { messages: [{ role: "user", content: "Once more, from the beginning. ".repeat(1_000) }] };
}

const refusing: Check<Way>[] = REFUSED.map(([what, fields, refusal]) => ({
  claim: `${what} is refused as ${refusal.param}, ${refusal.code}, plain or streamed`,
  async run(trial) {
    equal(await refusalOf(trial.answer(fields), trial), refusal, "the refusal of a plain answer");
    if (fields["stream_options"]) return; // beside a stream it is right
    equal(await refusalOf(trial.open(fields), trial), refusal, "the refusal of a stream");
  },
}));

const absentModel: Check<Way> = {
  claim: "a model that is not loaded is not found",
  async run(trial) {
    const refusal = { ...invalid("model", "model_not_found"), status: 404 };
    equal(await refusalOf(trial.way.door.models.retrieve("absent"), trial), refusal, "the refusal");
  },
};

export const REFUSAL_CHECKS: readonly Check<Way>[] = [...refusing, absentModel];
