// Facts about a template that nobody writes down: found by reading its source and by rendering small conversations.
import { isEngineError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { runTemplate } from "./interpreter.ts";
import type { Program } from "./jinja-internals.ts";

export interface TemplateTraits {
  /** Its text begins with the begin-of-text token. */
  readonly writesBos: boolean;
  /** It walks over a user's list of content parts itself. */
  readonly walksParts: boolean;
  readonly knowsDeveloper: boolean;
  /** Which system messages are in its text: all of them, one alone, or not even one. Those that it refuses are not lost. */
  readonly systemMessages: "all" | "one" | "none";
  /** Whether it prints the calls of a message without content, with an empty one, and with a text. */
  readonly printsCalls: { readonly besideNull: boolean; readonly besideEmpty: boolean; readonly besideText: boolean };
  readonly printsResults: boolean;
}

export interface Specials {
  readonly bos_token: string;
  readonly eos_token: string;
}

export function readTraits(source: string, program: Program, specials: Specials): TemplateTraits {
  const render = (messages: readonly Json[]): string => {
    const variables = { ...specials, messages, tools: [], add_generation_prompt: false };
    try {
      return runTemplate(program, variables, new Date(0));
    } catch (error) {
      if (isEngineError(error)) return ""; // refused
      throw error;
    }
  };
  const parts = render([message("user", [part(WORDS[0]), part(WORDS[1])])]);
  const bos = specials.bos_token;
  return {
    writesBos: bos !== "" && render([message("user", WORDS[0])]).startsWith(bos),
    // A template that takes texts alone prints the list itself, as Python or JSON would.
    walksParts: holdsAll(parts, WORDS.slice(0, 2)) && !/["']type["']/.test(parts),
    knowsDeveloper: /["']developer["']/.test(source),
    systemMessages: systemMessagesOf(render),
    ...toolsOf(render),
  };
}

/** Words that no template prints by itself. */
const WORDS = ["ingle-probe-a", "ingle-probe-b", "ingle-probe-c"] as const;

function systemMessagesOf(render: (messages: readonly Json[]) => string): TemplateTraits["systemMessages"] {
  const [first, second, late] = WORDS;
  const user = message("user", "Hi");
  const assistant = message("assistant", "Hello");
  const several = render([
    ...[message("system", first), message("system", second), user, assistant],
    ...[message("system", late), user],
  ]);
  if (several === "" || holdsAll(several, WORDS)) return "all";
  const one = render([message("system", first), user]);
  return one === "" || one.includes(first) ? "one" : "none";
}

function toolsOf(render: (messages: readonly Json[]) => string): Pick<TemplateTraits, "printsCalls" | "printsResults"> {
  const [name, argument, result] = WORDS;
  const user = message("user", "Hi");
  if (render([user, message("assistant", "Hello"), user]) === "") {
    const printsCalls = { besideNull: true, besideEmpty: true, besideText: true };
    return { printsCalls, printsResults: true }; // it wants variables that are not known here: nothing can be told
  }
  const withContent = (content: Json): string[] =>
    [{ a: argument }, JSON.stringify({ a: argument })].map((args) => {
      const call = { id: "call00001", type: "function", function: { name, arguments: args } };
      const answer = { role: "tool", tool_call_id: "call00001", name, content: result };
      return render([user, { role: "assistant", content, tool_calls: [call] }, answer]);
    });
  const prints = (rendered: readonly string[]): boolean => rendered.some((text) => holdsAll(text, [name, argument]));
  const [besideNull, besideEmpty, besideText] = [withContent(null), withContent(""), withContent("Let me look.")];
  return {
    printsCalls: { besideNull: prints(besideNull), besideEmpty: prints(besideEmpty), besideText: prints(besideText) },
    printsResults: [...besideNull, ...besideEmpty, ...besideText].some((text) => text.includes(result)),
  };
}

function message(role: string, content: Json): Json {
  return { role, content };
}

function part(text: string): Json {
  return { type: "text", text };
}

function holdsAll(rendered: string, words: readonly string[]): boolean {
  return words.every((word) => rendered.includes(word));
}
