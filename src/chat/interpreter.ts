// Runs a parsed chat template within budgets, and closer to Python than @huggingface/jinja 0.5.11 does by itself.
// Templates see plain data only: no path leads from it to the engine or the page.
import { Environment, parse, tokenize } from "@huggingface/jinja";
import { EngineError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import {
  ArrayValue,
  type BinaryNode,
  BooleanValue,
  type CallNode,
  type FilterNode,
  type ForNode,
  type HeldNode,
  hold,
  isInteger,
  isNumber,
  type MemberNode,
  makes,
  type Node,
  type ObjectNode,
  OpenInterpreter,
  type Program,
  type Scope,
  StringValue,
  type TestNode,
  toInteger,
} from "./jinja-internals.ts";
import {
  isList,
  isMapping,
  isText,
  type JsonOptions,
  pythonJson,
  pythonStr,
  type TextValue,
  type Value,
} from "./python-text.ts";
import { formatTime } from "./strftime.ts";
import { checkSourceLength, createTemplateBudget, typeErrors } from "./template-budget.ts";

/** @throws EngineError `template_error` for a syntax error, `budget_exceeded` for a source too long or too deep */
export function parseTemplate(source: string): Program {
  checkSourceLength(source.length);
  return typeErrors(() => {
    // Python drops carriage returns when it reads a template file; some files carry them.
    const tokens = tokenize(source.replaceAll("\r\n", "\n"), { lstrip_blocks: true, trim_blocks: true });
    return parse(tokens);
  });
}

/**
 * Renders a template over plain data.
 *
 * @param now the moment that `strftime_now` tells
 * @throws EngineError `template_error` (the template's own `raise_exception`, or a fault in it), `budget_exceeded`
 */
export function runTemplate(
  program: Program,
  variables: { readonly [name: string]: Json | undefined },
  now: Date,
): string {
  return typeErrors(() => {
    const environment = new Environment();
    const interpreter = new BoundedInterpreter(environment);
    const globals = {
      ...{ true: true, false: false, none: null, True: true, False: false, None: null },
      raise_exception: (message: unknown) => {
        throw new EngineError("template_error", `The chat template refuses these messages: ${String(message)}`);
      },
      range: (...bounds: unknown[]) => interpreter.range(bounds),
      strftime_now: (format: unknown) => formatTime(now, String(format)),
    };
    for (const [name, value] of Object.entries({ ...variables, ...globals })) {
      if (value !== undefined) environment.set(name, value);
    }
    return String(interpreter.run(program).value);
  });
}

class BoundedInterpreter extends OpenInterpreter {
  private readonly budget = createTemplateBudget();
  /** Nodes whose list is about to be looped over: the library makes a scope for each entry before the first turn. */
  private readonly iterables = new Set<Node>();

  override evaluate(node: Node | undefined, scope: Scope): Value {
    if (node?.type === "Held") return (node as HeldNode).held;
    this.budget.enter();
    if (node?.type === "For") this.iterables.add((node as ForNode).iterable.lhs ?? (node as ForNode).iterable);
    try {
      const value = this.evaluateNode(node, scope);
      if (node === undefined) return value;
      if (makes(node) && isText(value)) this.budget.madeText(value.value.length);
      const looped = this.iterables.has(node);
      if ((makes(node) || looped) && isList(value)) this.budget.steps(value.value.length);
      return looped && value.type === "UndefinedValue" ? new ArrayValue([]) : value;
    } finally {
      this.budget.leave(); // also when `break` or `continue`, which the library throws, pass
    }
  }

  private evaluateNode(node: Node | undefined, scope: Scope): Value {
    switch (node?.type) {
      case "TupleLiteral": // the library cannot unpack its own tuples in a loop: a list does
        return super.evaluate({ ...node, type: "ArrayLiteral" }, scope);
      case "ObjectLiteral": {
        // The library refuses keys that are numbers; they become text, here and where an entry is asked for.
        const entries = [...(node as ObjectNode).value].map(([key, value]) => {
          const name = this.evaluate(key, scope);
          return [hold(isInteger(name) ? new StringValue(String(name.value)) : name), value] as const;
        });
        return super.evaluate({ ...node, value: new Map(entries) } as ObjectNode, scope);
      }
      default:
        return super.evaluate(node, scope);
    }
  }

  override evaluateTestExpression(node: TestNode, scope: Scope): Value {
    if (node.test.value !== "iterable") return super.evaluateTestExpression(node, scope);
    const operand = this.evaluate(node.operand, scope);
    const iterable = isText(operand) || isList(operand) || isMapping(operand) || operand.type === "UndefinedValue";
    return new BooleanValue(iterable !== node.negate);
  }

  override evaluateMemberExpression(node: MemberNode, scope: Scope): Value {
    if (!node.computed || node.property.type === "SliceExpression") return super.evaluateMemberExpression(node, scope);
    const object = this.evaluate(node.object, scope);
    let key = this.evaluate(node.property, scope);
    // In Python an entry under an undefined name is undefined too.
    if (key.type === "UndefinedValue") return key;
    if (isInteger(key) && isMapping(object)) key = new StringValue(String(key.value));
    return super.evaluateMemberExpression({ ...node, object: hold(object), property: hold(key) }, scope);
  }

  /** As the library's, printing values as Python does. Statements and undefined values print nothing, and so does None. */
  override evaluateBlock(nodes: readonly Node[], scope: Scope): Value {
    let text = "";
    for (const node of nodes) {
      const value = this.evaluate(node, scope);
      if (value.type === "NullValue" || value.type === "UndefinedValue") continue;
      text += this.textOf(value);
      this.budget.textLength(text.length);
    }
    this.budget.madeText(text.length);
    return new StringValue(text);
  }

  override evaluateBinaryExpression(node: BinaryNode, scope: Scope): Value {
    const operator = node.operator.value;
    if (operator === "and" || operator === "or") return super.evaluateBinaryExpression(node, scope);
    const left = this.evaluate(node.left, scope);
    const right = this.evaluate(node.right, scope);
    switch (operator) {
      case "==":
        return new BooleanValue(this.equal(left, right));
      case "!=":
        return new BooleanValue(!this.equal(left, right));
      case "~":
        return new StringValue(this.textOf(left) + this.textOf(right));
      case "*":
        if (isText(left) && isInteger(right)) return this.repeat(left.value, right.value);
        if (isInteger(left) && isText(right)) return this.repeat(right.value, left.value);
        break;
      case "+":
        // The library would print a list or a mapping here, where Python raises.
        if (isText(left) !== isText(right)) throw new Error(`cannot add ${left.type} and ${right.type}`);
        break;
      case "<":
      case "<=":
      case ">":
      case ">=": {
        // Keys that are numbers come back as text; Python compares no number with a text, so this takes nothing away.
        if (isText(left) && isInteger(right)) return this.operate(node, toInteger(left), right, scope);
        if (isInteger(left) && isText(right)) return this.operate(node, left, toInteger(right), scope);
      }
    }
    return this.operate(node, left, right, scope);
  }

  private operate(node: BinaryNode, left: Value, right: Value, scope: Scope): Value {
    return super.evaluateBinaryExpression({ ...node, left: hold(left), right: hold(right) } as BinaryNode, scope);
  }

  /** Methods of strings that can make much of little are measured before they run. */
  override evaluateCallExpression(node: CallNode, scope: Scope): Value {
    const method = node.callee.type === "MemberExpression" ? node.callee.property?.value : undefined;
    if ((method !== "replace" && method !== "split") || node.callee.object === undefined) {
      return super.evaluateCallExpression(node, scope);
    }
    const object = this.evaluate(node.callee.object, scope);
    const [positional, named] = this.evaluateArguments(node.args, scope);
    if (isText(object)) this.measure(object.value, method, positional);
    if (named.size > 0) return super.evaluateCallExpression(node, scope);
    const callee = { ...node.callee, object: hold(object) };
    return super.evaluateCallExpression({ ...node, callee, args: positional.map(hold) }, scope);
  }

  override applyFilter(operand: Value, filter: FilterNode, scope: Scope): Value {
    const name = filter.value ?? filter.callee?.value ?? "";
    const [positional, named] = filter.args
      ? this.evaluateArguments(filter.args, scope)
      : [[], new Map<string, Value>()];
    // In Jinja text filters take str() of anything, and an undefined value is an empty text or list.
    if (TEXT_FILTERS.has(name) && !isText(operand)) {
      return this.applyFilter(new StringValue(this.textOf(operand)), filter, scope);
    }
    const isNothing =
      operand.type === "UndefinedValue" || (SELECTING_FILTERS.has(name) && operand.type === "NullValue");
    if ((LIST_FILTERS.has(name) || SELECTING_FILTERS.has(name)) && isNothing) {
      return this.applyFilter(new ArrayValue([]), filter, scope);
    }
    const argument = (place: number, key: string): unknown => (positional[place] ?? named.get(key))?.value;
    switch (name) {
      case "string":
        return new StringValue(this.textOf(operand));
      case "count":
        return this.applyFilter(operand, { type: "Identifier", value: "length" }, scope);
      case "tojson": {
        const separators = argument(3, "separators") as readonly TextValue[] | undefined;
        const options: JsonOptions = {
          indent: Number(argument(0, "indent") ?? 0),
          ensureAscii: Boolean(argument(1, "ensure_ascii")),
          sortKeys: Boolean(argument(2, "sort_keys")),
          separators: separators && [separators[0]?.value ?? ", ", separators[1]?.value ?? ": "],
        };
        this.budget.textLength(options.indent);
        return new StringValue(pythonJson(operand, options, this.budget));
      }
      case "join": {
        const separator = String(argument(0, "d") ?? argument(0, "separator") ?? "");
        if (!isList(operand)) break;
        const texts = operand.value.map((entry) => this.textOf(entry));
        const length = texts.reduce((sum, text) => sum + text.length, separator.length * texts.length);
        this.budget.textLength(length);
        return new StringValue(texts.join(separator));
      }
      case "indent":
        if (isText(operand)) {
          const width = Number(argument(0, "width") ?? 4);
          this.budget.textLength(operand.value.length + (countOf(operand.value, "\n") + 1) * width);
        }
        break;
      case "replace":
        if (isText(operand)) this.measure(operand.value, "replace", positional);
    }
    return super.applyFilter(operand, filter, scope);
  }

  /** Python's range, as long as the step budget lasts. */
  range(bounds: readonly unknown[]): number[] {
    if (bounds.length < 1 || bounds.length > 3 || !bounds.every(Number.isInteger)) {
      throw new Error(`range() takes one to three integers, got ${bounds.length} argument(s)`);
    }
    const [first, second, step = 1] = bounds as [number, number | undefined, number | undefined];
    const [start, stop] = second === undefined ? [0, first] : [first, second];
    if (step === 0) throw new Error("range() step must not be zero");
    const length = Math.max(0, Math.ceil((stop - start) / step));
    this.budget.steps(length);
    return Array.from({ length }, (_, i) => start + i * step);
  }

  private repeat(text: string, count: number): Value {
    const times = Math.max(0, count);
    this.budget.textLength(text.length * times);
    return new StringValue(text.repeat(times));
  }

  private measure(text: string, method: "replace" | "split", positional: readonly Value[]): void {
    const [pattern, replacement] = positional;
    const found = pattern && isText(pattern) ? countOf(text, pattern.value) : countWords(text);
    if (method === "split") this.budget.steps(found);
    else if (replacement && isText(replacement)) this.budget.textLength(text.length + found * replacement.value.length);
  }

  private textOf(value: Value): string {
    return pythonStr(value, this.budget);
  }

  /** Python's ==: by value and kind; numbers and booleans compare as numbers. */
  private equal(left: Value, right: Value): boolean {
    this.budget.steps(1);
    if (isNumber(left) && isNumber(right)) return Number(left.value) === Number(right.value);
    if (isList(left) && isList(right)) {
      const other = right.value;
      return left.value.length === other.length && left.value.every((entry, i) => this.equal(entry, other[i]!));
    }
    if (isMapping(left) && isMapping(right)) {
      if (left.value.size !== right.value.size) return false;
      for (const [key, entry] of left.value) {
        const other = right.value.get(key);
        if (other === undefined || !this.equal(entry, other)) return false;
      }
      return true;
    }
    return left.type === right.type && left.value === right.value;
  }
}

const TEXT_FILTERS: ReadonlySet<string> = new Set(["trim", "lower", "upper", "title", "capitalize", "replace"]);
const LIST_FILTERS: ReadonlySet<string> = new Set(["list", "length", "count", "join", "sort", "reverse", "unique"]);
/** These begin with `if value:` in Jinja, so that None selects nothing. */
const SELECTING_FILTERS: ReadonlySet<string> = new Set(["selectattr", "rejectattr", "select", "reject", "map"]);

/** Occurrences of a pattern, without making them. */
function countOf(text: string, pattern: string): number {
  if (pattern === "") return text.length + 1;
  let count = 0;
  for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + pattern.length)) count++;
  return count;
}

function countWords(text: string): number {
  let count = 0;
  const words = /\S+/g;
  while (words.test(text)) count++;
  return count;
}
