// Messages -> prompt ids: the template's rendering, tokenized with control tokens only where the template wrote them.
import type { RequestMessage } from "../api/messages.ts";
import { EngineError } from "../base/errors.ts";
import type { ChatMessage } from "../chat/message.ts";
import type { ChatTemplate } from "../chat/template.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

interface PromptSide {
  readonly template: ChatTemplate;
  readonly tokenizer: Tokenizer;
  readonly info: { readonly contextLength: number };
}

/** @throws EngineError `template_error`, `budget_exceeded`, `context_length_exceeded` when not one token of an answer has room */
export function encodePrompt(
  { template, tokenizer, info }: PromptSide,
  messages: readonly RequestMessage[],
): Int32Array {
  const segments = template.render(messages as readonly ChatMessage[], { addGenerationPrompt: true });
  const ids = tokenizer.encode(segments, { addEos: false }); // BOS as the model asks, unless the template wrote it
  if (ids.length === 0)
    throw new EngineError("template_error", "The chat template made an empty prompt of these messages.", {
      param: "messages",
    });
  if (ids.length >= info.contextLength)
    throw new EngineError(
      "context_length_exceeded",
      `The messages are ${ids.length} tokens long, and the context of ${info.contextLength} tokens has to hold the answer as ` +
        "well. Shorten the messages, or load the model with a longer context.",
      {
        param: "messages",
        wireCode: "context_length_exceeded",
        details: { contextLength: info.contextLength, promptTokens: ids.length },
      },
    );
  return ids;
}
