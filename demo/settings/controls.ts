// The one table of what can be set for an answer, by the name of the request's field: the form, the request and the marks of
// errors are all made from it. To add a control: one row here.
import type { Json } from "../../src/base/json.ts";
import { readIds, readLines, readLogitBias, readSeed } from "./text-values.ts";

interface ControlBase {
  readonly label: string;
  readonly hint: string;
  readonly group: ControlGroup;
  /** Another control, which has to be on for this one to mean anything. */
  readonly needs?: string;
}

export interface NumberControl extends ControlBase {
  readonly kind: "number";
  readonly min: number;
  readonly max: number;
  /** 1: whole numbers only. */
  readonly step: number;
  /** What the engine takes where the field is absent, and so is not sent; undefined: an empty box says it. */
  readonly absent: number | undefined;
  /** Where the page starts; `absent` otherwise. */
  readonly start?: number;
}

/** Off where the field is absent. */
export interface SwitchControl extends ControlBase {
  readonly kind: "switch";
}

export interface TextControl extends ControlBase {
  readonly kind: "line" | "lines";
  /** The field's value; undefined for a text that asks for nothing. @throws EngineError `invalid_request` with `param` */
  readonly read: (text: string, field: string) => Json | undefined;
}

export type Control = NumberControl | SwitchControl | TextControl;

/** In the order of the form. */
export const CONTROL_GROUPS = ["essentials", "more sampling", "extensions"] as const;
export type ControlGroup = (typeof CONTROL_GROUPS)[number];

/** More would not fit beside each other; the engine takes 128. */
const MOST_CHOICES = 8;
/** No context and no vocabulary is as large. */
const MANY = 10_000_000;

/**
 * Temperature and top-p start as the default model's authors advise: at 0.7 so small a model says "Ladle, la France" when
 * asked for France's capital.
 */
export const CONTROLS = {
  temperature: number("essentials", "Temperature", { min: 0, max: 2, step: 0.1, absent: 1, start: 0.2 }, "0 always takes the likeliest token"),
  top_p: number("essentials", "Top-p", { min: 0, max: 1, step: 0.05, absent: 1, start: 0.9 }, "how much of the likelihood to draw from"),
  max_completion_tokens: number("essentials", "Most tokens in an answer", { min: 1, max: MANY, step: 1, absent: undefined, start: 512 }, "empty: until the context is full"),
  seed: text("essentials", "Seed", "line", readSeed, "the same seed gives the same answer; empty draws anew"),
  n: number("essentials", "Answers side by side", { min: 1, max: MOST_CHOICES, step: 1, absent: 1 }, "you pick the one to go on from"),
  logprobs: toggle("essentials", "Token probabilities", "shows each token tinted by how likely it was"),
  top_logprobs: number("essentials", "Alternatives per token", { min: 0, max: 20, step: 1, absent: 0, start: 5 }, "", "logprobs"),

  stop: text("more sampling", "Stop sequences", "lines", readLines, "up to four, one a line; \\n stands for a line break"),
  frequency_penalty: number("more sampling", "Frequency penalty", { min: -2, max: 2, step: 0.1, absent: 0 }, "for each time that a token was used"),
  presence_penalty: number("more sampling", "Presence penalty", { min: -2, max: 2, step: 0.1, absent: 0 }, "once a token was used at all"),
  logit_bias: text("more sampling", "Logit bias", "lines", readLogitBias, "a token id and −100 to 100, one pair a line"),

  top_k: number("extensions", "Top-k", { min: 0, max: MANY, step: 1, absent: 0 }, "only the best so many tokens; 0 is off"),
  min_p: number("extensions", "Min-p", { min: 0, max: 1, step: 0.01, absent: 0 }, "least likelihood relative to the best; 0 is off"),
  typical_p: number("extensions", "Typical-p", { min: 0.01, max: 1, step: 0.01, absent: 1 }, "tokens as surprising as expected; 1 is off"),
  top_n_sigma: number("extensions", "Top-nσ", { min: 0, max: 100, step: 0.1, absent: 0 }, "standard deviations below the best logit; 0 is off"),
  repetition_penalty: number("extensions", "Repetition penalty", { min: 0.01, max: 100, step: 0.01, absent: 1 }, "counts the prompt too; 1 is off"),
  dry_multiplier: number("extensions", "DRY multiplier", { min: 0, max: 100, step: 0.1, absent: 0 }, "against repeated phrases; 0 is off"),
  dry_base: number("extensions", "DRY base", { min: 1, max: 100, step: 0.05, absent: 1.75 }, "growth with each repeated token", "dry_multiplier"),
  dry_allowed_length: number("extensions", "DRY allowed length", { min: 0, max: MANY, step: 1, absent: 2 }, "repeated tokens that cost nothing", "dry_multiplier"),
  dry_penalty_last_n: number("extensions", "DRY range", { min: -1, max: MANY, step: 1, absent: -1 }, "last tokens looked at; −1 is all", "dry_multiplier"),
  dry_sequence_breakers: text("extensions", "DRY breakers", "lines", readLines, "one a line; empty: line break, colon, quote and asterisk", "dry_multiplier"),
  xtc_probability: number("extensions", "XTC probability", { min: 0, max: 1, step: 0.05, absent: 0 }, "how often top choices are excluded; 0 is off"),
  xtc_threshold: number("extensions", "XTC threshold", { min: 0, max: 1, step: 0.05, absent: 0.1 }, "likelihood of a top choice", "xtc_probability"),
  min_tokens: number("extensions", "Least tokens in an answer", { min: 0, max: MANY, step: 1, absent: 0 }, ""),
  ignore_eos: toggle("extensions", "Go on after the end", "the model's end tokens end nothing"),
  stop_token_ids: text("extensions", "Stop token ids", "line", readIds, "more tokens that end the answer"),
} as const satisfies Record<string, Control>; // biome-ignore format: a table, one row a control

export type ControlName = keyof typeof CONTROLS;

export const CONTROL_NAMES = Object.keys(CONTROLS) as readonly ControlName[];

/** The control that an error's `param` speaks of, as `logit_bias.7` does of the logit bias. */
export function controlOf(param: string | undefined): ControlName | undefined {
  const field = /^\w+/.exec(param ?? "")?.[0];
  return CONTROL_NAMES.find((name) => name === field);
}

function number(
  group: ControlGroup,
  label: string,
  range: Pick<NumberControl, "min" | "max" | "step" | "absent" | "start">,
  hint: string,
  needs?: string,
): NumberControl {
  return { kind: "number", group, label, hint, ...range, ...(needs !== undefined && { needs }) };
}

function toggle(group: ControlGroup, label: string, hint: string): SwitchControl {
  return { kind: "switch", group, label, hint };
}

function text(
  group: ControlGroup,
  label: string,
  kind: TextControl["kind"],
  read: TextControl["read"],
  hint: string,
  needs?: string,
): TextControl {
  return { kind, group, label, hint, read, ...(needs !== undefined && { needs }) };
}
