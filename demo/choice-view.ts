// One choice of an answer, as Markdown or as its tokens.
import { html, nothing, type TemplateResult } from "lit/html.js";
import { type Choice, choiceState } from "./answer.ts";
import type { App } from "./app.ts";
import { choiceFigures } from "./figures.ts";
import { createMarkdownView } from "./markdown.ts";
import type { AssistantTurn } from "./state.ts";
import { createTokenView } from "./tokens/token-view.ts";

export function choiceView(turn: AssistantTurn, choice: Choice): TemplateResult {
  const state = choiceState(choice, turn.ending);
  return html`${state === "waiting" ? html`<p class="waiting"><span class="ember"></span>Thinking</p>` : nothing}
    ${formsOf(choice)[turn.shownAs](state !== "waiting" && state !== "streaming")}
    <p class="figures" aria-live="off">${choiceFigures(turn, choice)}</p>`;
}

/** One of several: in a column of its own, with a radio button to go on from it while it is the last answer. */
export function columnView(
  app: App,
  turn: AssistantTurn,
  choice: Choice,
  group: string,
  isLast: boolean,
): TemplateResult {
  const { index } = choice;
  const chosen = turn.chosen === index;
  return html`<section
    class="choice"
    aria-label="Answer ${index + 1}"
    data-chosen=${chosen}
    data-state=${choiceState(choice, turn.ending)}
  >
    <label class="choose">
      <input
        type="radio"
        name=${group}
        .checked=${chosen}
        ?disabled=${!isLast}
        @change=${() => app.choose(turn, index)}
      />
      Answer ${index + 1} <span class="quiet">${chosen ? "goes on from here" : ""}</span>
    </label>
    ${choiceView(turn, choice)}
  </section>`;
}

type Form = (ended: boolean) => HTMLElement;

const FORMS = new WeakMap<Choice, Record<AssistantTurn["shownAs"], Form>>();

/** The elements that show a choice: made when first asked for, and then given whatever has come since. */
function formsOf(choice: Choice): Record<AssistantTurn["shownAs"], Form> {
  const known = FORMS.get(choice);
  if (known !== undefined) return known;
  const forms = { text: markdownForm(choice), tokens: tokensForm(choice) };
  FORMS.set(choice, forms);
  return forms;
}

function markdownForm(choice: Choice): Form {
  const view = createMarkdownView();
  let written = 0;
  let closed = false;
  return (ended) => {
    if (written < choice.text.length) view.write(choice.text.slice(written));
    written = choice.text.length;
    if (ended && !closed) view.end();
    closed ||= ended;
    return view.element;
  };
}

function tokensForm(choice: Choice): Form {
  const view = createTokenView(`Tokens of answer ${choice.index + 1}`);
  let written = 0;
  return () => {
    if (written < choice.tokens.length) view.write(choice.tokens.slice(written));
    written = choice.tokens.length;
    return view.element;
  };
}
