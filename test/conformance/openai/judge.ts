// What OpenAI's schema finds wrong with all that a check has seen.
import { openAIFaults } from "../../api/openai-schema.ts";
import type { Seen } from "./trial.ts";

const FAULTS = {
  CreateChatCompletionResponse: openAIFaults("CreateChatCompletionResponse"),
  CreateChatCompletionStreamResponse: openAIFaults("CreateChatCompletionStreamResponse"),
  ErrorResponse: openAIFaults("ErrorResponse"),
  ListModelsResponse: openAIFaults("ListModelsResponse"),
  Model: openAIFaults("Model"),
} satisfies Record<Seen["definition"], unknown>;

export function schemaFaults(seen: readonly Seen[]): string[] {
  return seen.flatMap(({ definition, value }) =>
    FAULTS[definition](onTheWire(value)).map((fault) => `${definition} ${fault}`),
  );
}

/** As JSON has it. OpenAI sends `usage: null` in chunks beside `include_usage`, where its schema allows no null. */
function onTheWire(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner) => (key === "usage" && inner === null ? undefined : inner)));
}
