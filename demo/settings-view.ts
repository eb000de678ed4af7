// The side panel: how to answer, and facts about the model and the GPU.
import { html, type TemplateResult } from "lit/html.js";
import type { App } from "./app.ts";
import { factsView } from "./facts-view.ts";

export function settingsView(app: App): TemplateResult {
  const { settings } = app.state;
  return html`<aside id="settings" class="settings" aria-label="Settings" ?hidden=${!app.state.settingsOpen}>
    <div class="settings-head">
      <h2>Settings</h2>
      <button type="button" class="plain-button" @click=${() => app.toggleSettings(false)}>Close</button>
    </div>
    <div class="field">
      <label for="system">System prompt</label>
      <textarea
        id="system"
        rows="3"
        .value=${settings.system}
        @input=${(event: Event) => app.set({ system: textOf(event) })}
      ></textarea>
    </div>
    ${numberField(app, "temperature", "Temperature", "0 always takes the likeliest token", { min: 0, max: 2, step: 0.1 })}
    ${numberField(app, "topP", "Top-p", "how much of the likelihood to draw from", { min: 0, max: 1, step: 0.05 })}
    ${numberField(app, "maxTokens", "Most tokens in an answer", "", { min: 1, max: 131_072, step: 1 })}
    <div class="field">
      <label for="seed">Seed</label>
      <input
        id="seed"
        type="number"
        step="1"
        aria-describedby="seed-hint"
        .value=${settings.seed}
        @change=${(event: Event) => app.set({ seed: textOf(event) })}
      />
      <p class="quiet hint" id="seed-hint">the same seed gives the same answer; empty draws anew</p>
    </div>
    ${factsView(app.state.model)}
  </aside>`;
}

interface Range {
  min: number;
  max: number;
  step: number;
}

function numberField(
  app: App,
  name: "temperature" | "topP" | "maxTokens",
  label: string,
  hint: string,
  { min, max, step }: Range,
): TemplateResult {
  const change = (event: Event) => {
    const field = event.currentTarget as HTMLInputElement;
    // What is out of range or no number falls back to the nearest or to the value before.
    const value = Number.isNaN(field.valueAsNumber) ? app.state.settings[name] : field.valueAsNumber;
    const kept = Math.min(max, Math.max(min, step === 1 ? Math.round(value) : value));
    field.value = String(kept);
    app.set({ [name]: kept });
  };
  return html`<div class="field">
    <label for=${name}>${label}</label>
    <input
      id=${name}
      type="number"
      inputmode="decimal"
      min=${min}
      max=${max}
      step=${step}
      aria-describedby="${name}-hint"
      .value=${String(app.state.settings[name])}
      @change=${change}
    />
    <p class="quiet hint" id="${name}-hint">${hint}</p>
  </div>`;
}

function textOf(event: Event): string {
  return (event.currentTarget as HTMLInputElement | HTMLTextAreaElement).value;
}
