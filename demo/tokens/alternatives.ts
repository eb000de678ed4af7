// The panel beside a token: how likely it was, and what could have stood there instead.
import type { ChatCompletionTokenLogprob, TopLogprob } from "../../src/index.ts";
import { placeBeside } from "./placement.ts";
import { bandOf, formatPercent, percentOf } from "./probability.ts";
import { tokenElements } from "./token-elements.ts";
import { tokenText } from "./token-text.ts";

export interface AlternativesPanel {
  readonly element: HTMLElement;
  readonly isOpen: boolean;
  /** @param begun bytes of a character that the tokens before have begun */
  show(token: ChatCompletionTokenLogprob, begun: readonly number[], beside: Element): void;
  hide(): void;
}

/** The chosen token and its alternatives, likeliest first, and the share of all others. */
export interface Odds {
  readonly rows: readonly { readonly token: TopLogprob; readonly chosen: boolean }[];
  readonly others: number;
}

let panels = 0;

export function createAlternativesPanel(): AlternativesPanel {
  const element = document.createElement("div");
  element.className = "alternatives";
  element.id = `alternatives-${panels++}`;
  element.role = "tooltip";
  element.popover = "manual"; // above everything, and cut off by nothing
  element.ariaLive = "off"; // the token that it describes says what is in it
  let anchor: Element | undefined;
  /** False as well once the browser has closed it, as it does when the element is taken out of the page. */
  const isShown = () => element.matches(":popover-open");

  function place(): void {
    if (anchor === undefined) return;
    // A token that goes over a line's end has several boxes: the panel stands at the first.
    const word = anchor.getClientRects()[0];
    if (word === undefined) {
      hide();
      return;
    }
    const { offsetWidth: width, offsetHeight: height } = element;
    const { left, top } = placeBeside(word, { width, height }, { width: innerWidth, height: innerHeight });
    element.style.left = `${left}px`;
    element.style.top = `${top}px`;
  }
  function hide(): void {
    if (anchor === undefined) return;
    anchor.removeAttribute("aria-describedby");
    anchor = undefined;
    document.removeEventListener("scroll", place, { capture: true });
    if (isShown()) element.hidePopover();
  }

  return {
    element,
    get isOpen() {
      return isShown();
    },
    show(token, begun, beside) {
      if (!isShown()) element.showPopover();
      document.addEventListener("scroll", place, { capture: true, passive: true });
      anchor?.removeAttribute("aria-describedby");
      anchor = beside;
      beside.setAttribute("aria-describedby", element.id);
      element.replaceChildren(...contentOf(oddsOf(token), begun));
      place();
    },
    hide,
  };
}

export function oddsOf(token: ChatCompletionTokenLogprob): Odds {
  const isChosen = (other: TopLogprob) => other.token === token.token && String(other.bytes) === String(token.bytes);
  const tokens: TopLogprob[] = token.top_logprobs.some(isChosen) ? token.top_logprobs : [...token.top_logprobs, token];
  const rows = tokens
    .map((each) => ({ token: each, chosen: isChosen(each) }))
    .sort((a, b) => b.token.logprob - a.token.logprob);
  const shown = rows.reduce((sum, row) => sum + Math.exp(row.token.logprob), 0);
  return { rows, others: Math.max(0, 1 - shown) };
}

function contentOf({ rows, others }: Odds, begun: readonly number[]): HTMLElement[] {
  const list = document.createElement("ol");
  for (const { token, chosen } of rows) {
    const name = document.createElement("span");
    name.className = "token";
    name.dataset["band"] = String(bandOf(token.logprob));
    name.append(...tokenElements(tokenText(token, begun)));
    list.append(rowOf(name, percentOf(token.logprob), Math.exp(token.logprob), chosen));
  }
  const rest = document.createElement("p");
  rest.textContent = `all others ${formatPercent(others)}`;
  return [list, rest];
}

function rowOf(name: HTMLElement, percent: string, share: number, chosen: boolean): HTMLElement {
  const row = document.createElement("li");
  const number = document.createElement("span");
  number.className = "percent";
  number.textContent = chosen ? `${percent} chosen` : percent;
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.style.inlineSize = `${share * 100}%`;
  row.append(name, " ", number, bar); // the space is heard, not seen
  row.classList.toggle("chosen", chosen);
  return row;
}
