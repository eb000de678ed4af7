// The conversation and the box to write in.
import { html, nothing, type TemplateResult } from "lit/html.js";
import type { App } from "./app.ts";
import { formatDuration } from "./format.ts";
import { problemView, rebuildView } from "./load-view.ts";
import type { AssistantTurn, Turn } from "./state.ts";

export function chatView(app: App): TemplateResult {
  const { turns, model } = app.state;
  return html`<div class="turns" role="log" aria-live="polite" aria-label="Conversation">
    ${turns.length === 0 && model.name === "ready" ? welcome(app) : turns.map(turnView)}
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

function turnView(turn: Turn): TemplateResult {
  if (turn.role === "user") {
    return html`<article class="turn user" aria-label="You"><p class="plain">${turn.text}</p></article>`;
  }
  const open = turn.state === "waiting" || turn.state === "streaming";
  return html`<article class="turn assistant" aria-label="Ingle" aria-busy=${open} data-state=${turn.state}>
    ${turn.state === "waiting" ? html`<p class="waiting"><span class="ember"></span>Thinking</p>` : nothing}
    ${turn.view.element} ${turn.problem ? problemView(turn.problem) : nothing}
    <p class="figures" aria-live="off">${figures(turn)}</p>
  </article>`;
}

/** Live figures while it streams; the engine's own once it has ended. */
function figures({ state, stats, tokens, firstTokenMs, tokensPerSecond }: AssistantTurn): string {
  const count = stats?.completionTokens ?? tokens;
  const first = stats && stats.firstTokenMs > 0 ? stats.firstTokenMs : firstTokenMs;
  const rate = stats && stats.decodeMs > 0 && count > 1 ? ((count - 1) * 1000) / stats.decodeMs : tokensPerSecond;
  const parts = [
    state === "stopped" && "stopped",
    state === "cut" && "cut at the token limit",
    rate !== undefined && `${rate.toFixed(1)} tokens/s`,
    first !== undefined && `first token after ${formatDuration(first)}`,
    count > 0 && `${count} tokens`,
  ];
  return parts.filter((part) => part !== false).join(" · ");
}

export function composer(app: App): TemplateResult {
  const { busy, model } = app.state;
  const ready = model.name === "ready";
  const submit = (event: Event) => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLElement).closest("form")!.elements.namedItem("message");
    if (!(field instanceof HTMLTextAreaElement) || busy || !ready || field.value.trim() === "") return;
    app.send(field.value);
    field.value = "";
  };
  const onKey = (event: KeyboardEvent) => {
    // Enter confirms an input method's choice first.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  return html`<form class="composer" aria-label="Write a message" @submit=${submit}>
    <label class="visually-hidden" for="message">Message</label>
    <textarea
      id="message"
      name="message"
      rows="1"
      placeholder=${ready ? "Ask something" : "The model is not ready yet"}
      aria-describedby="keys"
      @keydown=${onKey}
    ></textarea>
    ${
      busy
        ? html`<button type="button" class="primary" @click=${app.stop}>Stop</button>`
        : html`<button type="submit" class="primary" ?disabled=${!ready}>Send</button>`
    }
    <p class="visually-hidden" id="keys">Enter sends, Shift and Enter starts a new line, Escape stops the answer.</p>
  </form>`;
}
