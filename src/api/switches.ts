// What a request sets in the model's chat template: `chat_template_kwargs`, and OpenAI's fields that are switches there.
import type { Json } from "../base/json.ts";
import { invalid, join, object, shown, unsupported, wrongType } from "./checks.ts";

export type TemplateVariables = { readonly [name: string]: Json };

/** Nesting and count of the values in `chat_template_kwargs`: far above what any template's switches need. */
export const TEMPLATE_VALUE_LIMITS = { depth: 32, values: 10_000 };

/** The variables by which templates offer a field, the most telling first. */
const SWITCHES = {
  reasoning_effort: [
    { variable: "reasoning_effort", valueOf: (effort: string): Json => effort },
    { variable: "enable_thinking", valueOf: (effort: string): Json => effort !== "none" },
    { variable: "thinking", valueOf: (effort: string): Json => effort !== "none" },
  ],
  verbosity: [{ variable: "verbosity", valueOf: (verbosity: string): Json => verbosity }],
} as const;

type SwitchField = keyof typeof SWITCHES;

/** An object of JSON values, as `chat_template_kwargs` has to be. */
export function templateKwargs(value: unknown, path: string): Map<string, Json> {
  const budget = { valuesLeft: TEMPLATE_VALUE_LIMITS.values };
  return new Map([...object(value, path)].map(([name, entry]) => [name, json(entry, join(path, name), 1, budget)]));
}

/**
 * All that the request sets in the template.
 * @param declared the names that the template reads and a caller may set
 * @throws EngineError `unsupported_parameter` for a field that the template has no switch for; `invalid_request` for a name
 *   that it does not read, or that is set twice
 */
export function templateVariables(
  fields: {
    readonly [Field in SwitchField]?: string;
  } & { readonly chat_template_kwargs?: ReadonlyMap<string, Json> },
  declared: ReadonlySet<string>,
): TemplateVariables {
  const variables = new Map<string, Json>();
  for (const [name, value] of fields.chat_template_kwargs ?? []) {
    if (!declared.has(name)) throw unknownVariable(name, declared);
    variables.set(name, value);
  }
  for (const field of Object.keys(SWITCHES) as SwitchField[]) {
    const value = fields[field];
    if (value === undefined) continue;
    const found = SWITCHES[field].find(({ variable }) => declared.has(variable));
    if (!found) throw unsupported(field, "This model's chat template has no such switch: leave it out.");
    if (variables.has(found.variable)) throw setTwice(found.variable, field);
    variables.set(found.variable, found.valueOf(value));
  }
  return Object.fromEntries(variables);
}

function unknownVariable(name: string, declared: ReadonlySet<string>): Error {
  const names = [...declared].sort();
  const advice =
    names.length === 0
      ? "This model's chat template has no variables to set."
      : `This model's chat template reads: ${names.join(", ")}.`;
  return invalid(
    join("chat_template_kwargs", name),
    "unknown_parameter",
    `Unknown parameter: 'chat_template_kwargs.${shown(name)}'. ${advice}`,
  );
}

function setTwice(variable: string, field: SwitchField): Error {
  return invalid(
    join("chat_template_kwargs", variable),
    "invalid_value",
    `'${field}' sets the chat template's variable '${variable}' as well: leave out one of the two.`,
  );
}

/** A copy of a JSON value. Its bounds keep a deep or shared structure from running long. */
function json(value: unknown, path: string, depth: number, budget: { valuesLeft: number }): Json {
  const { depth: maxDepth, values: maxValues } = TEMPLATE_VALUE_LIMITS;
  if (depth > maxDepth)
    throw invalid(path, "invalid_value", `Invalid '${shown(path)}': nested more than ${maxDepth} levels deep.`);
  if (--budget.valuesLeft < 0)
    throw invalid(path, "invalid_value", `Invalid '${shown(path)}': more than ${maxValues} values in all.`);
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value))
    return Array.from(value, (entry, index) => json(entry, `${path}[${index}]`, depth + 1, budget));
  if (typeof value !== "object") return wrongType(value, path, "a JSON value");
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .map(([key, entry]) => [key, json(entry, join(path, key), depth + 1, budget)]),
  );
}
