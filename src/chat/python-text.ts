// Values of a template as Python prints them: str(), repr() and json.dumps(). Costs are reported before they arise.

/** A value of @huggingface/jinja, which does not export its classes. */
export interface Value {
  readonly type: string;
  readonly value: unknown;
}
export type TextValue = Value & { readonly value: string };
export type ListValue = Value & { readonly value: readonly Value[] };
export type MappingValue = Value & { readonly value: ReadonlyMap<string, Value> };

/** Where printing reports what it costs; each throws when its budget is spent. */
export interface Meter {
  steps(count: number): void;
  textLength(length: number): void;
  depth(depth: number): void;
}

export interface JsonOptions {
  readonly indent: number;
  readonly ensureAscii: boolean;
  readonly sortKeys: boolean;
  readonly separators: readonly [item: string, key: string] | undefined;
}

export function isText(value: Value): value is TextValue {
  return typeof value.value === "string";
}

export function isList(value: Value): value is ListValue {
  return Array.isArray(value.value);
}

export function isMapping(value: Value): value is MappingValue {
  return value.value instanceof Map;
}

/** Python's str(); an undefined value is empty, as in Jinja. */
export function pythonStr(value: Value, meter: Meter): string {
  return isText(value) ? value.value : pythonRepr(value, meter, 0);
}

function pythonRepr(value: Value, meter: Meter, depth: number): string {
  meter.depth(depth);
  if (isText(value)) return quote(value.value);
  if (isList(value) || isMapping(value)) {
    let text = "";
    const add = (entry: string): void => {
      meter.steps(1);
      text += text === "" ? entry : `, ${entry}`;
      meter.textLength(text.length);
    };
    if (isList(value)) for (const entry of value.value) add(pythonRepr(entry, meter, depth + 1));
    else for (const [key, entry] of value.value) add(`${quote(key)}: ${pythonRepr(entry, meter, depth + 1)}`);
    return isList(value) ? `[${text}]` : `{${text}}`;
  }
  switch (value.type) {
    case "BooleanValue":
      return value.value ? "True" : "False";
    case "NullValue":
      return "None";
    case "UndefinedValue":
      return "";
    default:
      return typeof value.value === "number" ? numberText(value) : `<${value.type}>`;
  }
}

/** Python's json.dumps(), as the `tojson` of transformers calls it. */
export function pythonJson(value: Value, options: JsonOptions, meter: Meter, depth = 0): string {
  meter.depth(depth);
  const [between, colon] = options.separators ?? [options.indent > 0 ? "," : ", ", ": "];
  if (isText(value)) return jsonString(value.value, options);
  if (isList(value) || isMapping(value)) {
    const [open, close] = isList(value) ? "[]" : "{}";
    const newline = options.indent > 0 ? `\n${" ".repeat(options.indent * (depth + 1))}` : "";
    let text = "";
    const add = (entry: string): void => {
      meter.steps(1);
      text += (text === "" ? "" : between) + newline + entry;
      meter.textLength(text.length);
    };
    if (isList(value)) {
      for (const entry of value.value) add(pythonJson(entry, options, meter, depth + 1));
    } else {
      const entries = [...value.value];
      if (options.sortKeys) entries.sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [key, entry] of entries) {
        add(jsonString(key, options) + colon + pythonJson(entry, options, meter, depth + 1));
      }
    }
    if (text === "") return `${open}${close}`;
    return open + text + (newline === "" ? "" : newline.slice(0, newline.length - options.indent)) + close;
  }
  switch (value.type) {
    case "IntegerValue":
    case "FloatValue":
      return numberText(value);
    case "BooleanValue":
      return String(value.value);
    case "NullValue":
      return "null";
    default:
      throw new Error(`Object of type ${value.type} is not JSON serializable`);
  }
}

/** Python's repr() of a number: exponents below 1e-4 and from 1e16, of two digits at least. */
function numberText(value: Value): string {
  const number = value.value as number;
  const size = Math.abs(number);
  const isFloat = value.type === "FloatValue";
  if (isFloat && size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return number.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  if (!isFloat || !Number.isInteger(number)) return String(number);
  return Object.is(number, -0) ? "-0.0" : number.toFixed(1);
}

function jsonString(text: string, options: JsonOptions): string {
  const json = JSON.stringify(text);
  if (!options.ensureAscii) return json;
  return json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** repr() of a str: single quotes, unless the text has some and no double ones. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t");
  return mark + escaped.replaceAll(mark, `\\${mark}`) + mark;
}
