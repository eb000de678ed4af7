// The box to write in.
import { html, type TemplateResult } from "lit/html.js";
import type { App } from "./app.ts";

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
