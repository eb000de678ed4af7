// The side panel: how to answer, and facts about the model and the GPU.
import { html, type TemplateResult } from "lit/html.js";
import type { App } from "../app.ts";
import { factsView } from "../facts-view.ts";
import { controlView } from "./control-view.ts";
import { CONTROL_GROUPS, CONTROL_NAMES, CONTROLS, type ControlGroup, type ControlName } from "./controls.ts";

export function settingsView(app: App): TemplateResult {
  const { settings, settingsOpen, model } = app.state;
  return html`<aside id="settings" class="settings" aria-label="Settings" ?hidden=${!settingsOpen}>
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
        @input=${(event: Event) => app.setSystem((event.currentTarget as HTMLTextAreaElement).value)}
      ></textarea>
    </div>
    ${CONTROL_GROUPS.map((group) => groupView(app, group))}
    <button type="button" class="small-button" @click=${app.resetSettings}>Reset to defaults</button>
    ${factsView(model)}
  </aside>`;
}

/** Puts the focus on a control, and opens the group that it is in. */
export function focusControl(name: ControlName): void {
  const field = document.getElementById(name);
  field?.closest("details")?.setAttribute("open", "");
  field?.focus({ preventScroll: true });
  field?.scrollIntoView({ block: "center" });
}

function groupView(app: App, group: ControlGroup): TemplateResult {
  const controls = CONTROL_NAMES.filter((name) => CONTROLS[name].group === group).map((name) => controlView(app, name));
  switch (group) {
    case "essentials":
      return html`${controls}`;
    case "more sampling":
      return html`<details class="group"><summary>More sampling</summary>${controls}</details>`;
    case "extensions":
      return html`<details class="group">
        <summary>Extensions</summary>
        <p class="quiet hint">Not OpenAI's: other servers may not know them.</p>
        ${controls}
      </details>`;
    default:
      return group satisfies never;
  }
}
