// Which variables of a template are a caller's to set: those that it reads and that neither it nor the engine sets.
import type { Node, Program } from "./jinja-internals.ts";
import { typeErrors } from "./template-budget.ts";

/** Names that the engine or the template language gives a meaning: no caller can set them. */
export const PROTOCOL_NAMES: ReadonlySet<string> = new Set([
  ...["messages", "tools", "add_generation_prompt", "continue_final_message"],
  ...["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"],
  ...["range", "raise_exception", "strftime_now", "namespace", "dict", "lipsum", "cycler", "joiner"],
  ...["loop", "self", "super", "caller", "varargs", "kwargs"],
  ...["true", "false", "none", "True", "False", "None"],
]);

/**
 * The names that a caller can set to some effect, such as `enable_thinking`.
 *
 * A name counts when, in reading order, it is read before the template sets it for the first time. So a switch with a default
 * (`{% if not date_string is defined %}{% set date_string = … %}`) is a caller's, and what the template computes for itself on
 * some paths only is not.
 *
 * @throws EngineError `budget_exceeded` for a template that is nested too deep
 */
export function callerVariables(program: Program): ReadonlySet<string> {
  return typeErrors(() => {
    const names = new Set<string>();
    const reading: Reading = { own: macroNames(program), read: (name) => names.add(name), macros: [] };
    walk(program, reading);
    for (const macro of reading.macros) walkWithParameters(macro["args"], macro["body"], reading);
    return new Set([...names].filter((name) => !PROTOCOL_NAMES.has(name)).sort());
  });
}

interface Reading {
  /** Names that the template itself has set so far. Loop variables and parameters stay, which can only shorten the list. */
  readonly own: Set<string>;
  readonly read: (name: string) => void;
  /** Read last: a macro runs when it is called, and what the template has set by then may stand behind it. */
  readonly macros: AnyNode[];
}

/** A statement or expression, with the fields that some kinds of it have. */
type AnyNode = Node & { readonly [field: string]: unknown };

function walk(value: unknown, reading: Reading): void {
  if (Array.isArray(value)) {
    for (const entry of value) walk(entry, reading);
  } else if (value instanceof Map) {
    for (const [key, entry] of value) {
      walk(key, reading);
      walk(entry, reading);
    }
  } else if (isNode(value)) {
    walkNode(value, reading);
  }
}

function walkNode(node: AnyNode, reading: Reading): void {
  switch (node.type) {
    case "Identifier": {
      const name = node["value"] as string;
      if (!reading.own.has(name)) reading.read(name);
      break;
    }
    case "MemberExpression":
      walk(node["object"], reading);
      if (node["computed"]) walk(node["property"], reading);
      break;
    case "KeywordArgumentExpression":
      walk(node["value"], reading);
      break;
    case "BinaryExpression": // its operator is a token, and looks like a node
      walk([node["left"], node["right"]], reading);
      break;
    case "UnaryExpression":
      walk(node["argument"], reading);
      break;
    case "TestExpression": // tests and filters have names of their own
      walk(node["operand"], reading);
      break;
    case "FilterExpression":
      walk(node["operand"], reading);
      walkFilter(node["filter"], reading);
      break;
    case "FilterStatement":
      walkFilter(node["filter"], reading);
      walk(node["body"], reading);
      break;
    case "Ternary":
      walk([node["condition"], node["trueExpr"], node["falseExpr"]], reading);
      break;
    case "Set":
      walk([node["value"], node["body"]], reading);
      assign(node["assignee"], reading);
      break;
    case "For":
      walkLoop(node, reading);
      break;
    case "Macro":
      reading.macros.push(node);
      break;
    case "CallStatement":
      walk(node["call"], reading);
      walkWithParameters(node["callerArgs"] ?? [], node["body"], reading);
      break;
    default:
      for (const field of Object.values(node)) walk(field, reading);
  }
}

function walkFilter(filter: unknown, reading: Reading): void {
  if (isNode(filter) && filter.type === "CallExpression") walk(filter["args"], reading);
}

/** `for x in xs if test(x)`: the list is read before the variable is there, and the test after. */
function walkLoop(node: AnyNode, reading: Reading): void {
  const iterable = node["iterable"] as AnyNode;
  const selects = iterable.type === "SelectExpression";
  walk(selects ? iterable["lhs"] : iterable, reading);
  assign(node["loopvar"], reading);
  walk([selects ? iterable["test"] : null, node["body"], node["defaultBlock"]], reading);
}

function walkWithParameters(parameters: unknown, body: unknown, reading: Reading): void {
  for (const parameter of parameters as readonly AnyNode[]) {
    walk(parameter.type === "KeywordArgumentExpression" ? parameter["value"] : null, reading);
    assign(parameter.type === "KeywordArgumentExpression" ? parameter["key"] : parameter, reading);
  }
  walk(body, reading);
}

/** Of `ns.x = …` the object is read; a tuple sets each of its names. */
function assign(target: unknown, reading: Reading): void {
  const node = target as AnyNode;
  if (node.type === "Identifier") reading.own.add(node["value"] as string);
  else if (node.type === "TupleLiteral")
    for (const entry of node["value"] as readonly unknown[]) assign(entry, reading);
  else walk(node, reading);
}

/** Macros are there from the start: one may call another that stands further down. */
function macroNames(program: Program): Set<string> {
  const names = new Set<string>();
  const find = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(find);
    if (!isNode(value)) return;
    if (value.type === "Macro") names.add((value["name"] as AnyNode)["value"] as string);
    find([value["body"], value["alternate"], value["defaultBlock"]]);
  };
  find(program);
  return names;
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}
