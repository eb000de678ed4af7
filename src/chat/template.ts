// A model's chat template: conversation in, text segments out. A wrapper over @huggingface/jinja that bounds what a template
// may do (interpreter.ts), meets templates half-way (accommodations.ts) and keeps caller text from becoming control tokens.
import { EngineError, isEngineError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import type { Segment } from "../tokenizer/tokenizer.ts";
import { ACCOMMODATIONS, type Conversation, conversationOf, type TemplateTraits } from "./accommodations.ts";
import { chooseBuiltinTemplate } from "./builtin-templates.ts";
import { createInjectionGuard, type InjectionGuard, type Marking } from "./injection-guard.ts";
import { parseTemplate, runTemplate } from "./interpreter.ts";
import type { Program } from "./jinja-internals.ts";
import type { ChatMessage } from "./message.ts";

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
  readonly variables: ReadonlySet<string>;
  /**
   * The prompt for a conversation. All segments may hold control tokens; they are cut so that none can be made of what the
   * messages, names and tools say.
   *
   * @throws EngineError `template_error` (the template refuses the messages, with its own words, or fails), `budget_exceeded`
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
  const traits: TemplateTraits = {
    walksParts: printsTextOnly(probe(program, specials, [{ type: "text", text: PROBE }])),
    knowsDeveloper: /["']developer["']/.test(source),
  };
  return {
    origin: builtin === undefined ? "model" : `builtin:${builtin.name}`,
    writesBos: options.bosText !== "" && probe(program, specials, PROBE).startsWith(options.bosText),
    variables: new Set(),
    render(messages, { addGenerationPrompt, now = new Date(), tools, variables = {} }) {
      for (const name of Object.keys(variables)) {
        if (!RESERVED.has(name)) continue;
        throw new EngineError(
          "invalid_request",
          `Template variable "${name}" is set by the engine and cannot be given.`,
        );
      }
      const given = conversationOf(messages, tools, traits);
      const texts = [source, ...textsOf(given as unknown as Json), ...textsOf(variables)];
      const marker = guard.marker(texts);
      const renderMarked = (marking: Marking): Segment[] => {
        const marked = guard.mark({ ...given, variables } as unknown as Json, marker, marking) as unknown as Marked;
        const rendered = renderAccommodated(marked, (conversation) =>
          runTemplate(
            program,
            {
              ...marked.variables,
              ...specials,
              messages: conversation.messages,
              tools: conversation.tools,
              add_generation_prompt: addGenerationPrompt,
            },
            now,
          ),
        );
        return guard.split(rendered, marker);
      };
      return renderGuarded(guard, renderMarked);
    },
  };
}

type Marked = Conversation & { readonly variables: { readonly [name: string]: Json } };

const RESERVED: ReadonlySet<string> = new Set([
  ...["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"],
  ...[
    "range",
    "raise_exception",
    "strftime_now",
    "namespace",
    "loop",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
  ],
]);
const PROBE = "ingle-probe";

/**
 * Renders with the plain marking, and takes the result if it holds the same control tokens as a rendering in which no control
 * token can come from caller text. If it does not, the template has joined halves of one, and that rendering is the prompt.
 */
function renderGuarded(guard: InjectionGuard, render: (marking: Marking) => Segment[]): Segment[] {
  const segments = render("occurrences");
  const reference = renderOr(() => render("everywhere")) ?? render("edges"); // marked ends can change what a template counts
  const same = guard.controlsIn(segments).join("\u0000") === guard.controlsIn(reference).join("\u0000");
  return same ? segments : reference;
}

/** Undefined where the template refuses. */
function renderOr(render: () => Segment[]): Segment[] | undefined {
  try {
    return render();
  } catch (error) {
    if (isEngineError(error, "template_error")) return undefined;
    throw error;
  }
}

/** Tries the conversation as it is, then the fewest accommodations that help; the first refusal is the one that is told. */
function renderAccommodated(conversation: Conversation, render: (conversation: Conversation) => string): string {
  let refusal: unknown;
  for (const accommodations of ACCOMMODATION_SETS) {
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
  throw refusal; // of the conversation as it is, which is always tried
}

/** All sets of accommodations, the smallest first, then in the order of the list. */
const ACCOMMODATION_SETS = Array.from({ length: 2 ** ACCOMMODATIONS.length }, (_, bits) =>
  ACCOMMODATIONS.filter((_, place) => (bits >> place) & 1),
).sort((a, b) => a.length - b.length);

/** What the template makes of one user message; "" where it refuses it. */
function probe(program: Program, specials: { readonly [name: string]: string }, content: Json): string {
  const messages = [{ role: "user", content }];
  try {
    return runTemplate(program, { ...specials, messages, tools: [], add_generation_prompt: false }, new Date(0));
  } catch (error) {
    if (isEngineError(error)) return "";
    throw error;
  }
}

/** False where a template that takes texts alone printed the list itself, as Python or JSON would. */
function printsTextOnly(probed: string): boolean {
  return probed.includes(PROBE) && !/["']type["']/.test(probed);
}

/** All texts and keys in a value. */
function textsOf(value: Json | undefined): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) => [key, ...textsOf(entry as Json | undefined)]);
}
