// One control of the form, as its row in the table says.
import { html, nothing, type TemplateResult } from "lit/html.js";
import type { App } from "../app.ts";
import { CONTROLS, type Control, type ControlName, type NumberControl, type TextControl } from "./controls.ts";
import { faultOf, isUsable, nearest } from "./settings.ts";

/** What every kind of field has in common. */
interface Common {
  readonly name: ControlName;
  readonly disabled: boolean;
  /** Why its value was refused or cannot be read. */
  readonly fault: string | undefined;
}

export function controlView(app: App, name: ControlName): TemplateResult {
  const control: Control = CONTROLS[name];
  const { settings, mark } = app.state;
  const fault = faultOf(name, settings.values) ?? (mark?.control === name ? mark.what : undefined);
  const field = fieldView(app, control, { name, disabled: !isUsable(name, settings.values), fault });
  return html`<div class="field" data-kind=${control.kind}>
    <label for=${name}>${control.label}</label>
    ${field}
    <p class="quiet hint" id="${name}-hint">${control.hint}</p>
    ${fault === undefined ? nothing : html`<p class="fault" id="${name}-fault">${fault}</p>`}
  </div>`;
}

function fieldView(app: App, control: Control, common: Common): TemplateResult {
  switch (control.kind) {
    case "number":
      return numberField(app, control, common);
    case "switch":
      return switchField(app, common);
    case "line":
    case "lines":
      return textField(app, control, common);
    default:
      return control satisfies never;
  }
}

function numberField(app: App, control: NumberControl, { name, disabled, fault }: Common): TemplateResult {
  const value = app.state.settings.values[name] as number | undefined;
  const change = (event: Event) => {
    const field = event.currentTarget as HTMLInputElement;
    const isEmpty = field.value === "" && !field.validity.badInput;
    // What is out of range falls back to the nearest, what is no number to the value before.
    const kept = Number.isNaN(field.valueAsNumber)
      ? isEmpty && control.absent === undefined
        ? undefined
        : value
      : nearest(control, field.valueAsNumber);
    field.value = shown(kept);
    app.set(name, kept);
  };
  return html`<input
    id=${name}
    type="number"
    inputmode=${control.min < 0 ? "text" : "decimal"}
    min=${control.min}
    max=${control.max}
    step=${control.step}
    ?disabled=${disabled}
    aria-invalid=${fault !== undefined}
    aria-describedby=${describedBy(name, fault)}
    .value=${shown(value)}
    @change=${change}
  />`;
}

function switchField(app: App, { name, disabled, fault }: Common): TemplateResult {
  return html`<input
    id=${name}
    type="checkbox"
    role="switch"
    ?disabled=${disabled}
    aria-invalid=${fault !== undefined}
    aria-describedby=${describedBy(name, fault)}
    .checked=${app.state.settings.values[name] === true}
    @change=${(event: Event) => app.set(name, (event.currentTarget as HTMLInputElement).checked)}
  />`;
}

function textField(app: App, { kind }: TextControl, { name, disabled, fault }: Common): TemplateResult {
  const value = app.state.settings.values[name] as string;
  const change = (event: Event) => app.set(name, (event.currentTarget as HTMLInputElement | HTMLTextAreaElement).value);
  if (kind === "line") {
    return html`<input
      id=${name}
      type="text"
      autocomplete="off"
      spellcheck="false"
      ?disabled=${disabled}
      aria-invalid=${fault !== undefined}
      aria-describedby=${describedBy(name, fault)}
      .value=${value}
      @change=${change}
    />`;
  }
  return html`<textarea
    id=${name}
    rows="2"
    autocomplete="off"
    spellcheck="false"
    ?disabled=${disabled}
    aria-invalid=${fault !== undefined}
    aria-describedby=${describedBy(name, fault)}
    .value=${value}
    @change=${change}
  ></textarea>`;
}

function describedBy(name: ControlName, fault: string | undefined): string {
  return fault === undefined ? `${name}-hint` : `${name}-fault ${name}-hint`;
}

function shown(value: number | undefined): string {
  return value === undefined ? "" : String(value);
}
