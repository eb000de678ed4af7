// An answer as its tokens, each tinted by how likely it was. Grows token by token; one of them can be reached by Tab, the
// others from there by the arrow keys, and each shows its alternatives while it has the pointer or the focus.
import type { ChatCompletionTokenLogprob } from "../../src/index.ts";
import { createAlternativesPanel } from "./alternatives.ts";
import { bandOf, percentOf } from "./probability.ts";
import { stepFrom } from "./roving.ts";
import { tokenElements } from "./token-elements.ts";
import { tokenText } from "./token-text.ts";

export interface TokenView {
  readonly element: HTMLElement;
  /** Adds the tokens that have come since. */
  write(tokens: readonly ChatCompletionTokenLogprob[]): void;
}

interface Shown {
  readonly token: ChatCompletionTokenLogprob;
  /** Bytes of a character that the tokens before it have begun. */
  readonly begun: readonly number[];
}

/** So long the pointer may be on its way from a token to its panel. */
const LEAVE_MS = 150;

/** @param label what a screen reader calls it */
export function createTokenView(label: string): TokenView {
  const element = document.createElement("div");
  element.className = "token-view";
  const list = document.createElement("div");
  list.className = "tokens";
  list.role = "listbox";
  list.ariaOrientation = "horizontal";
  list.ariaLabel = label;
  const panel = createAlternativesPanel();
  element.append(list, panel.element);

  const shown = new Map<Element, Shown>();
  const elements: HTMLElement[] = [];
  let begun: readonly number[] = [];
  let line: HTMLElement | undefined;
  /** The one that Tab reaches. */
  let current: HTMLElement | undefined;
  let hovered: HTMLElement | undefined;
  let leaving: ReturnType<typeof setTimeout> | undefined;

  function write(tokens: readonly ChatCompletionTokenLogprob[]): void {
    for (const token of tokens) {
      const text = tokenText(token, begun);
      const option = document.createElement("span");
      option.className = "token";
      option.role = "option";
      option.tabIndex = -1;
      option.dataset["band"] = String(bandOf(token.logprob));
      option.ariaLabel = `${text.spoken}, ${percentOf(token.logprob)}`;
      option.append(...tokenElements(text));
      shown.set(option, { token, begun });
      elements.push(option);
      begun = text.begun;
      // Each line is laid out by itself, so that a long answer costs no more at its end than at its start.
      if (line === undefined) {
        line = document.createElement("div");
        line.role = "none";
        list.append(line);
      }
      line.append(option);
      if (text.parts.at(-1)?.kind === "line break") line = undefined;
    }
    if (current === undefined && elements[0] !== undefined) moveTo(elements[0]);
  }

  function moveTo(option: HTMLElement): void {
    if (current !== undefined) current.tabIndex = -1;
    current = option;
    option.tabIndex = 0;
  }

  /** What the pointer is on comes first, then what the keyboard has gone to: a click alone must not leave a panel behind. */
  function update(): void {
    clearTimeout(leaving);
    const target = hovered ?? list.querySelector(":focus-visible") ?? undefined;
    const found = target && shown.get(target);
    document.removeEventListener("keydown", dismiss, { capture: true });
    if (target === undefined || found === undefined) panel.hide();
    else {
      panel.show(found.token, found.begun, target);
      document.addEventListener("keydown", dismiss, { capture: true });
    }
  }

  /** Escape closes the panel, wherever the focus is, and does nothing else that Escape does. */
  function dismiss(event: KeyboardEvent): void {
    if (event.key !== "Escape" || !panel.isOpen) return;
    event.stopPropagation();
    event.preventDefault();
    panel.hide();
    document.removeEventListener("keydown", dismiss, { capture: true });
  }

  const optionOf = (event: Event): HTMLElement | undefined =>
    (event.target as Element).closest<HTMLElement>("[role=option]") ?? undefined;
  const leave = () => {
    clearTimeout(leaving);
    leaving = setTimeout(() => {
      hovered = undefined;
      update();
    }, LEAVE_MS);
  };
  list.addEventListener("pointerover", (event) => {
    const option = optionOf(event);
    if (option === undefined || event.pointerType === "touch") return;
    hovered = option;
    update();
  });
  list.addEventListener("pointerout", leave);
  panel.element.addEventListener("pointerenter", () => clearTimeout(leaving));
  panel.element.addEventListener("pointerleave", leave);
  // A finger hovers over nothing: a tap shows the panel, and a tap elsewhere takes it away with the focus.
  list.addEventListener("click", (event) => {
    hovered = optionOf(event);
    hovered?.focus({ preventScroll: true });
    update();
  });
  list.addEventListener("focusin", (event) => {
    const option = optionOf(event);
    if (option === undefined) return;
    moveTo(option);
    if (option.matches(":focus-visible")) hovered = undefined;
    update();
  });
  list.addEventListener("focusout", (event) => {
    if (list.contains(event.relatedTarget as Node | null)) return;
    hovered = undefined;
    update();
  });
  list.addEventListener("keydown", (event) => {
    if (current === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    const next = stepFrom(elements, elements.indexOf(current), event.key);
    if (next === undefined) return;
    event.preventDefault();
    elements[next]!.focus();
  });
  return { element, write };
}
