// What is set, and what of it a request has to say: only what differs from what its absence means.
import type { Json } from "../../src/base/json.ts";
import { isEngineError } from "../../src/index.ts";
import { CONTROL_NAMES, CONTROLS, type Control, type ControlName, type NumberControl } from "./controls.ts";

/** A number (undefined: an empty box), a switch, or a text as it was typed. */
export type ControlValue = number | undefined | boolean | string;

export interface Settings {
  readonly system: string;
  readonly values: Readonly<Record<ControlName, ControlValue>>;
}

export const DEFAULT_SETTINGS: Settings = {
  system: "",
  values: Object.fromEntries(CONTROL_NAMES.map((name) => [name, startOf(CONTROLS[name])])) as Settings["values"],
};

/** The request's fields. @throws EngineError `invalid_request`, whose `param` is the control with a text that cannot be read */
export function fieldsOf(values: Settings["values"]): Record<string, Json> {
  const fields: Record<string, Json> = {};
  for (const name of CONTROL_NAMES) {
    const value = isUsable(name, values) ? fieldOf(name, values[name]) : undefined;
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}

/** Whether the control means anything: false while the one that it needs is off. */
export function isUsable(name: ControlName, values: Settings["values"]): boolean {
  const { needs }: Control = CONTROLS[name];
  return needs === undefined || fieldOf(needs as ControlName, values[needs as ControlName]) !== undefined;
}

/** Why the text of a control cannot be read; undefined where it can. */
export function faultOf(name: ControlName, values: Settings["values"]): string | undefined {
  try {
    fieldOf(name, values[name]);
    return undefined;
  } catch (error) {
    if (isEngineError(error)) return error.message;
    throw error;
  }
}

/** The nearest number that the control can hold. */
export function nearest({ min, max, step }: NumberControl, value: number): number {
  return Math.min(max, Math.max(min, step === 1 ? Math.round(value) : value));
}

function startOf(control: Control): ControlValue {
  switch (control.kind) {
    case "number":
      return control.start ?? control.absent;
    case "switch":
      return false;
    case "line":
    case "lines":
      return "";
    default:
      return control satisfies never;
  }
}

function fieldOf(name: ControlName, value: ControlValue): Json | undefined {
  const control: Control = CONTROLS[name];
  switch (control.kind) {
    case "number":
      return value === control.absent ? undefined : (value as number);
    case "switch":
      return value === true ? true : undefined;
    case "line":
    case "lines":
      return control.read(value as string, name);
    default:
      return control satisfies never;
  }
}
