// A model's chat template: conversation in, text segments out. A wrapper over @huggingface/jinja that bounds what a template
// may do (interpreter.ts), meets templates half-way (accommodations.ts) and keeps caller text from becoming control tokens.
import { EngineError, isEngineError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import type { Segment } from "../tokenizer/tokenizer.ts";
import { ACCOMMODATIONS, type Conversation, conversationOf } from "./accommodations.ts";
import { chooseBuiltinTemplate } from "./builtin-templates.ts";
import { createInjectionGuard, type InjectionGuard, type Marking } from "./injection-guard.ts";
import { parseTemplate, runTemplate } from "./interpreter.ts";
import type { ChatMessage } from "./message.ts";
import { createOpenEnd } from "./open-end.ts";
import { readTraits } from "./template-traits.ts";
import { callerVariables, PROTOCOL_NAMES } from "./template-variables.ts";

export interface TemplateOptions {
  /** The file's `tokenizer.chat_template`; absent: a built-in one. */
  readonly source?: string;
  /** Texts of the begin- and end-of-text tokens, "" where there is none. */
  readonly bosText: string;
  readonly eosText: string;
  /** Texts of all control tokens (Tokenizer.controlPieces). */
  readonly controlPieces: readonly string[];
}

export interface RenderOptions {
  /** Ends the text where the assistant's answer begins. */
  readonly addGenerationPrompt: boolean;
  /**
   * Ends the text where the content of the last message, the assistant's, ends: no generation prompt, nothing that closes a turn.
   * Default: false.
   */
  readonly continueFinalMessage?: boolean;
  /** For templates that print the date. Default: the present. */
  readonly now?: Date;
  /** Tool schemas, as in the request. */
  readonly tools?: readonly Json[];
  /** Further variables, such as `enable_thinking`. Names that the template's own protocol uses are refused. */
  readonly variables?: { readonly [name: string]: Json };
}

export interface ChatTemplate {
  /** Where the template came from: the model's file, or `builtin:<name>`. */
  readonly origin: "model" | `builtin:${string}`;
  /** True if the rendered text begins with the begin-of-text token by itself, so that the tokenizer must not add one. */
  readonly writesBos: boolean;
  /** The names in `variables` that have an effect: the template reads them, and neither it nor the engine sets them. */
  readonly variables: ReadonlySet<string>;
  /**
   * The prompt for a conversation. All segments may hold control tokens; they are cut so that none can be made of what the
   * messages, names and tools say.
   *
   * @throws EngineError `template_error` (the template refuses the messages, with its own words, or fails, or has no place at
   *   which the last message could go on), `budget_exceeded`
   */
  render(messages: readonly ChatMessage[], options: RenderOptions): Segment[];
}

/** @throws EngineError `template_error` for a syntax error in the source, `budget_exceeded` for one over 1 MB or too deep */
export function createTemplate(options: TemplateOptions): ChatTemplate {
  const builtin = options.source === undefined ? chooseBuiltinTemplate(options.controlPieces) : undefined;
  const source = options.source ?? builtin!.source;
  const program = parseTemplate(source);
  const guard = createInjectionGuard(options.controlPieces);
  const specials = { bos_token: options.bosText, eos_token: options.eosText };
  const traits = readTraits(source, program, specials);
  return {
    origin: builtin === undefined ? "model" : `builtin:${builtin.name}`,
    writesBos: traits.writesBos,
    variables: callerVariables(program),
    render(messages, { addGenerationPrompt, continueFinalMessage = false, now = new Date(), tools, variables = {} }) {
      for (const name of Object.keys(variables)) {
        if (!PROTOCOL_NAMES.has(name)) continue;
        throw new EngineError(
          "invalid_request",
          `Template variable "${name}" is set by the engine and cannot be given.`,
        );
      }
      const given = conversationOf(messages, tools, traits);
      const texts = [source, ...textsOf(given as unknown as Json), ...textsOf(variables)];
      const marker = guard.marker(texts);
      const openEnd = continueFinalMessage ? createOpenEnd(texts, marker) : undefined;
      openEnd?.require(messages);
      const renderMarked = (marking: Marking): string => {
        const marked = guard.mark({ ...given, variables } as unknown as Json, marker, marking) as unknown as Marked;
        return renderAccommodated(openEnd?.open(marked) ?? marked, (conversation) =>
          runTemplate(
            program,
            {
              ...marked.variables,
              ...specials,
              messages: conversation.messages,
              tools: conversation.tools,
              add_generation_prompt: addGenerationPrompt && !continueFinalMessage,
              ...(continueFinalMessage && { continue_final_message: true }),
            },
            now,
          ),
        );
      };
      const split = (rendered: string): Segment[] => guard.split(openEnd?.cut(rendered) ?? rendered, marker);
      return renderGuarded(guard, renderMarked, split);
    },
  };
}

type Marked = Conversation & { readonly variables: { readonly [name: string]: Json } };

/**
 * Renders with the plain marking, and takes the result if it holds the same control tokens as a rendering in which no control
 * token can come from caller text. If it does not, the template has joined halves of one, and that rendering is the prompt.
 */
function renderGuarded(
  guard: InjectionGuard,
  render: (marking: Marking) => string,
  split: (rendered: string) => Segment[],
): Segment[] {
  const segments = split(render("occurrences"));
  // Marked ends can change what a template counts.
  const reference = split(renderOr(() => render("everywhere")) ?? render("edges"));
  const same = guard.controlsIn(segments).join("\u0000") === guard.controlsIn(reference).join("\u0000");
  return same ? segments : reference;
}

/** Undefined where the template refuses. */
function renderOr(render: () => string): string | undefined {
  try {
    return render();
  } catch (error) {
    if (isEngineError(error, "template_error")) return undefined;
    throw error;
  }
}

/** Tries the conversation as it is, then the fewest accommodations that help; the first refusal is the one that is told. */
function renderAccommodated(conversation: Conversation, render: (conversation: Conversation) => string): string {
  let refusal: EngineError | undefined;
  const deadline = performance.now() + TRYING_LIMIT_MS;
  for (const accommodations of ACCOMMODATION_SETS) {
    if (refusal !== undefined && performance.now() > deadline) break;
    let current: Conversation | undefined = conversation;
    for (const accommodate of accommodations) current = current && accommodate(current);
    if (current === undefined) continue; // one of them would change nothing
    try {
      return render(current);
    } catch (error) {
      if (!isEngineError(error, "template_error")) throw error;
      refusal ??= error;
    }
  }
  // Of the conversation as it is, which is always tried.
  throw new EngineError("template_error", refusal!.message, { param: "messages", cause: refusal });
}

/** A rendering takes a few milliseconds; a template that takes its whole second to refuse is not asked a hundred times. */
const TRYING_LIMIT_MS = 2000;

/** All sets of accommodations, the smallest first, then in the order of the list. */
const ACCOMMODATION_SETS = Array.from({ length: 2 ** ACCOMMODATIONS.length }, (_, bits) =>
  ACCOMMODATIONS.filter((_, place) => (bits >> place) & 1),
).sort((a, b) => a.length - b.length);

/** All texts and keys in a value. */
function textsOf(value: Json | undefined): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) => [key, ...textsOf(entry as Json | undefined)]);
}
