// The page as a whole: header, conversation, composer, side panel, and the veil while a file is dragged over it.
import { html, nothing, type TemplateResult } from "lit/html.js";
import type { App } from "./app.ts";
import { chatView } from "./chat-view.ts";
import { composer } from "./composer.ts";
import { loadView } from "./load-view.ts";
import { settingsView } from "./settings/settings-view.ts";
import type { ModelState } from "./state.ts";

export function pageView(app: App): TemplateResult {
  const { model, settingsOpen, narrow, dropping, turns } = app.state;
  const covered = settingsOpen && narrow;
  return html`<div class="page" data-settings=${settingsOpen ? "open" : "closed"}>
    <header ?inert=${covered}>
      <h1><img src="./icon.svg" alt="" width="28" height="28" />Ingle</h1>
      <p class="model-name" role="status">${statusOf(model)}</p>
      <div class="actions">
        <button type="button" class="plain-button" ?disabled=${turns.length === 0} @click=${app.newChat}>New chat</button>
        <label class="plain-button file">
          Open model
          <input type="file" class="visually-hidden" accept=".gguf" @change=${(event: Event) => openPicked(app, event)} />
        </label>
        <button
          type="button"
          class="plain-button"
          aria-expanded=${settingsOpen}
          aria-controls="settings"
          @click=${() => app.toggleSettings()}
        >
          Settings
        </button>
      </div>
    </header>
    <main ?inert=${covered}>
      <div class="scroll" tabindex="-1">${loadView(app)} ${chatView(app)}</div>
      ${composer(app)}
    </main>
    ${settingsView(app)} ${dropping ? html`<div class="veil"><p>Drop the .gguf file to open it</p></div>` : nothing}
  </div>`;
}

function statusOf(model: ModelState): string {
  switch (model.name) {
    case "none":
      return "no model";
    case "loading":
      return "loading";
    case "failed":
      return "not loaded";
    case "ready":
      return model.info.name;
    default:
      return model satisfies never;
  }
}

function openPicked(app: App, event: Event): void {
  const field = event.currentTarget as HTMLInputElement;
  const file = field.files?.[0];
  if (file) app.openModel(file);
  field.value = ""; // so that the same file can be picked again
}
