// The parts of @huggingface/jinja 0.5.11 that it neither exports nor opens to subclasses, as far as interpreter.ts replaces
// them. Pinned to that version: its tests of templates fail if these change.
import { Environment, Interpreter, type parse } from "@huggingface/jinja";
import type { TextValue, Value } from "./python-text.ts";

/** A parsed template. */
export type Program = ReturnType<typeof parse>;

export interface Node {
  readonly type: string;
}
export type Scope = Environment;

/** The methods of the library's interpreter that are replaced here; they are private in its types alone. */
export interface Internals {
  run(program: Program): Value;
  evaluate(node: Node | undefined, scope: Scope): Value;
  evaluateBlock(nodes: readonly Node[], scope: Scope): Value;
  evaluateBinaryExpression(node: BinaryNode, scope: Scope): Value;
  evaluateCallExpression(node: CallNode, scope: Scope): Value;
  evaluateMemberExpression(node: MemberNode, scope: Scope): Value;
  evaluateTestExpression(node: TestNode, scope: Scope): Value;
  evaluateArguments(nodes: readonly Node[], scope: Scope): [Value[], Map<string, Value>];
  applyFilter(operand: Value, filter: FilterNode, scope: Scope): Value;
}
export interface BinaryNode extends Node {
  readonly operator: { readonly value: string };
  readonly left: Node;
  readonly right: Node;
}
export interface CallNode extends Node {
  readonly callee: Node & { readonly object?: Node; readonly property?: { readonly value?: unknown } };
  readonly args: readonly Node[];
}
export interface FilterNode extends Node {
  readonly value?: string;
  readonly callee?: { readonly value?: string };
  readonly args?: readonly Node[];
}
export interface MemberNode extends Node {
  readonly object: Node;
  readonly property: Node;
  readonly computed: boolean;
}
export interface TestNode extends Node {
  readonly operand: Node;
  readonly test: { readonly value: string };
  readonly negate: boolean;
}
export interface ObjectNode extends Node {
  readonly value: ReadonlyMap<Node, Node>;
}
export interface ForNode extends Node {
  readonly iterable: Node & { readonly lhs?: Node };
}
/** A node whose value is known: how evaluated operands are handed on to the library. */
export interface HeldNode extends Node {
  readonly type: "Held";
  readonly held: Value;
}

export const OpenInterpreter = Interpreter as unknown as new (scope: Scope) => Internals;
/** The library's classes, taken from values that it makes. */
const values = new Environment();
type MakeValue = new (value: unknown) => Value;
export const StringValue = values.set("string", "").constructor as unknown as MakeValue;
export const IntegerValue = values.set("integer", 0).constructor as unknown as MakeValue;
export const BooleanValue = values.set("boolean", false).constructor as unknown as MakeValue;
export const ArrayValue = values.set("array", []).constructor as unknown as MakeValue;

/** True for nodes that can make a new text or list, rather than name one. */
export function makes(node: Node): boolean {
  switch (node.type) {
    case "BinaryExpression":
    case "CallExpression":
    case "FilterExpression":
    case "FilterStatement":
      return true;
    case "MemberExpression":
      return (node as MemberNode).property.type === "SliceExpression";
    default:
      return false;
  }
}

export function hold(held: Value): HeldNode {
  return { type: "Held", held };
}

export function isInteger(value: Value): value is Value & { readonly value: number } {
  return value instanceof IntegerValue;
}

/** The number that a key was; unchanged where it was none. */
export function toInteger(key: TextValue): Value {
  return /^-?\d+$/.test(key.value) ? new IntegerValue(Number(key.value)) : key;
}

export function isNumber(value: Value): boolean {
  return value.type === "IntegerValue" || value.type === "FloatValue" || value.type === "BooleanValue";
}
