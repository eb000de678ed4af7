// An error on the page: what happened, which field of the request it is about, what to try, and the way to that setting.
import { html, nothing, type TemplateResult } from "lit/html.js";
import type { App } from "./app.ts";
import type { Problem } from "./problem.ts";
import { CONTROLS, controlOf } from "./settings/controls.ts";

export function problemView(app: App, { code, what, advice, param }: Problem): TemplateResult {
  const control = controlOf(param);
  return html`<div class="problem" role="alert" data-code=${code}>
    <p>${what}</p>
    ${param === undefined ? nothing : html`<p class="param">Field <code>${param}</code></p>`}
    <p class="quiet">${advice}</p>
    ${
      control === undefined
        ? nothing
        : html`<button type="button" class="small-button" @click=${() => app.reveal(control)}>
            Go to “${CONTROLS[control].label}”
          </button>`
    }
  </div>`;
}
