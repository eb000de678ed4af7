// A last message that goes on: a mark behind its content, before rendering, shows where the prompt has to end after it.
// Nothing is searched for by its text, so it does not matter what a template trims, strips or closes the message with.
import { EngineError } from "../base/errors.ts";
import type { Conversation } from "./accommodations.ts";
import type { ChatMessage } from "./message.ts";

export interface OpenEnd {
  /** @throws EngineError `template_error` unless the last message is an answer of the assistant that calls nothing */
  require(messages: readonly ChatMessage[]): void;
  /** The conversation with the mark behind its last content. Not blank, it also keeps templates from trimming blanks there. */
  open<Kind extends Conversation>(conversation: Kind): Kind;
  /**
   * The rendered text up to the mark.
   *
   * @throws EngineError `template_error` where the template prints the last content not at all, twice, or before another text
   *   of the caller's
   */
  cut(rendered: string): string;
}

const FIRST_UNIT = 0xe000; // the private use area of the basic plane: one UTF-16 unit each
const UNIT_COUNT = 6400;
const MARK_LENGTH = 4; // 1.7 × 10^15 marks: no caller can have them all, or foresee the one that is drawn

/**
 * @param texts what the mark must not occur in
 * @param callerMark stands in what callers wrote (injection-guard.ts)
 */
export function createOpenEnd(texts: readonly string[], callerMark: string): OpenEnd {
  let mark = drawMark();
  while (mark.includes(callerMark) || texts.some((text) => text.includes(mark))) mark = drawMark();
  return {
    require(messages) {
      const last = messages.at(-1);
      if (last?.role !== "assistant") throw cannotContinue("it is not the assistant's");
      if (last.tool_calls !== undefined) throw cannotContinue("it calls a function, whose result has to come next");
    },
    open(conversation) {
      const last = conversation.messages.at(-1)!;
      const content = ((last["content"] as string | null) ?? "") + mark; // parts are joined: the role is not the user's
      const messages: Conversation["messages"] = [...conversation.messages.slice(0, -1), { ...last, content }];
      return { ...conversation, messages };
    },
    cut(rendered) {
      const [before, after, ...more] = rendered.split(mark);
      if (after === undefined) throw cannotContinue("the chat template leaves out where its content ends");
      if (more.length > 0) throw cannotContinue("the chat template prints its content more than once");
      if (after.includes(callerMark)) throw cannotContinue("the chat template prints another text behind it");
      return before!;
    },
  };
}

function drawMark(): string {
  const units = crypto.getRandomValues(new Uint16Array(MARK_LENGTH));
  return String.fromCharCode(...units.map((unit) => FIRST_UNIT + (unit % UNIT_COUNT)));
}

function cannotContinue(reason: string): EngineError<"template_error"> {
  return new EngineError(
    "template_error",
    `The last message cannot be continued: ${reason}. Send 'continue_final_message: false' to have a new message written.`,
    { param: "messages" },
  );
}
