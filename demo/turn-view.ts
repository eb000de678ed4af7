// A turn of the conversation: a question, or an answer with all its choices and what can be done with it.
import { html, nothing, type TemplateResult } from "lit/html.js";
import { answerState } from "./answer.ts";
import type { App } from "./app.ts";
import { choiceView, columnView } from "./choice-view.ts";
import { copyView } from "./copy/copy-view.ts";
import { requestFigures } from "./figures.ts";
import { problemView } from "./problem-view.ts";
import type { AssistantTurn, Turn } from "./state.ts";
import { BANDS } from "./tokens/probability.ts";

/** @param index which turn of the conversation it is */
export function turnView(app: App, turn: Turn, index: number): TemplateResult {
  if (turn.role === "user") {
    return html`<article class="turn user" aria-label="You"><p class="plain">${turn.text}</p></article>`;
  }
  const { choices, ending, problem, request, model } = turn;
  const state = answerState(choices, ending);
  return html`<article
    class="turn assistant ${choices.length > 1 ? "many" : ""}"
    aria-label="Ingle"
    aria-busy=${ending === undefined}
    data-state=${state}
  >
    ${answersView(app, turn, index)}
    ${turn.shownAs === "tokens" && choices.some(({ tokens }) => tokens.length > 0) ? legend() : nothing}
    ${problem === undefined ? nothing : problemView(app, problem)}
    ${choices.length > 1 ? html`<p class="figures" aria-live="off">${requestFigures(turn)}</p>` : nothing}
    ${
      ending === undefined || request === undefined
        ? nothing
        : html`<div class="answer-actions">${formSwitch(app, turn)} ${copyView(request, model)}</div>`
    }
  </article>`;
}

/** Nothing where an error is all there is to show. */
function answersView(app: App, turn: AssistantTurn, index: number): TemplateResult | typeof nothing {
  const { choices, ending } = turn;
  if (ending === "failed" && choices.every(({ text }) => text === "")) return nothing;
  return choices.length > 1 ? columns(app, turn, index) : choiceView(turn, choices[0]!);
}

function columns(app: App, turn: AssistantTurn, index: number): TemplateResult {
  const isLast = app.state.turns.at(-1) === turn;
  return html`<div
    class="choices"
    role="group"
    aria-label="${turn.choices.length} answers; pick the one to go on from"
    tabindex="0"
  >
    ${turn.choices.map((choice) => columnView(app, turn, choice, `choice-of-${index}`, isLast))}
  </div>`;
}

/** Only where there are tokens to show. */
function formSwitch(app: App, turn: AssistantTurn): TemplateResult | typeof nothing {
  if (turn.choices.every(({ tokens }) => tokens.length === 0)) return nothing;
  const button = (form: AssistantTurn["shownAs"], name: string) =>
    html`<button
      type="button"
      class="small-button"
      aria-pressed=${turn.shownAs === form}
      @click=${() => app.showAs(turn, form)}
    >
      ${name}
    </button>`;
  return html`<div class="forms" role="group" aria-label="Show the answer as">
    ${button("text", "Text")} ${button("tokens", "Tokens")}
  </div>`;
}

function legend(): TemplateResult {
  return html`<p class="legend quiet">
    Likelihood
    ${BANDS.map(({ label }, band) => html`<span class="token" data-band=${band}>${label}</span>`)}
  </p>`;
}
