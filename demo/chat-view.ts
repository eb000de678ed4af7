// The conversation.
import { html, type TemplateResult } from "lit/html.js";
import type { App } from "./app.ts";
import { rebuildView } from "./load-view.ts";
import { turnView } from "./turn-view.ts";

export function chatView(app: App): TemplateResult {
  const { turns, model } = app.state;
  return html`<div class="turns" role="log" aria-live="polite" aria-label="Conversation">
    ${turns.length === 0 && model.name === "ready" ? welcome(app) : turns.map((turn, index) => turnView(app, turn, index))}
    ${rebuildView(app.state.rebuilding)}
  </div>`;
}

const EXAMPLES = [
  "What is the capital of France?",
  "Explain photosynthesis to a child.",
  "Write a haiku about embers.",
];

function welcome(app: App): TemplateResult {
  return html`<section class="welcome">
    <h2>The fire is lit.</h2>
    <p class="quiet">Everything happens in this page: what you write does not leave your computer.</p>
    <ul class="examples" aria-label="Examples">
      ${EXAMPLES.map(
        (text) => html`<li><button type="button" class="example" @click=${() => app.send(text)}>${text}</button></li>`,
      )}
    </ul>
  </section>`;
}
