// A request -> prompt ids and predicted ids: the template's rendering, tokenized with control tokens only where the template wrote them.
import type { ChatRequest } from "../api/request.ts";
import { EngineError, isEngineError } from "../base/errors.ts";
import { chatMessages } from "../chat/from-request.ts";
import type { ChatTemplate } from "../chat/template.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

interface PromptSide {
  readonly template: ChatTemplate;
  readonly tokenizer: Tokenizer;
  readonly info: { readonly contextLength: number };
}

type PromptRequest = Pick<ChatRequest, "messages" | "continueFinalMessage" | "templateVariables" | "maxTokens">;

/**
 * @throws EngineError `template_error`, `budget_exceeded`, `context_length_exceeded` when the answer that was asked for has no
 *   room, or not one token of it where no length was
 */
export function encodePrompt(side: PromptSide, request: PromptRequest): Int32Array {
  const { info } = side;
  const ids = idsOf(side, request);
  if (ids.length === 0)
    throw new EngineError("template_error", "The chat template made an empty prompt of these messages.", {
      param: "messages",
    });
  const { contextLength } = info;
  if (ids.length + (request.maxTokens ?? 1) > contextLength) {
    const asked =
      request.maxTokens === undefined ? "an answer of any length" : `an answer of up to ${request.maxTokens} tokens`;
    throw new EngineError(
      "context_length_exceeded",
      `The messages are ${ids.length} tokens long and ask for ${asked}; the context of ${contextLength} tokens has to hold both. ` +
        "Shorten the messages, ask for a shorter answer, or load the model with a longer context.",
      {
        param: "messages",
        wireCode: "context_length_exceeded",
        details: { contextLength, promptTokens: ids.length },
      },
    );
  }
  return ids;
}

/**
 * The tokens of the request's prediction, as those of a text without control tokens.
 * @throws EngineError `budget_exceeded`
 */
export function encodePrediction(
  { tokenizer }: Pick<PromptSide, "tokenizer">,
  { prediction }: Pick<ChatRequest, "prediction">,
): Int32Array | undefined {
  if (prediction === undefined) return undefined;
  return withinBudget("prediction", () => tokenizer.encode(prediction, { addBos: false, addEos: false }));
}

function idsOf({ template, tokenizer }: PromptSide, request: PromptRequest): Int32Array {
  return withinBudget("messages", () => {
    const segments = template.render(chatMessages(request.messages), {
      addGenerationPrompt: !request.continueFinalMessage,
      continueFinalMessage: request.continueFinalMessage,
      variables: request.templateVariables,
    });
    return tokenizer.encode(segments, { addEos: false }); // BOS as the model asks, unless the template wrote it
  });
}

/** What runs over a budget on the way does so for this field. */
function withinBudget<Result>(param: string, encode: () => Result): Result {
  try {
    return encode();
  } catch (error) {
    if (!isEngineError(error, "budget_exceeded")) throw error;
    const { message, details } = error;
    throw new EngineError("budget_exceeded", message, { param, cause: error, ...(details && { details }) });
  }
}
