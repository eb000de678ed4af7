// A token's text as elements: white space has marks that are seen and not copied, and what is no text looks like none.
import type { TokenText } from "./token-text.ts";

export function tokenElements({ parts }: TokenText): (Node | string)[] {
  return parts.map(({ kind, text }) => {
    if (kind === "text") return text;
    const element = document.createElement("span");
    element.className = kind.replace(" ", "-");
    element.textContent = text;
    return element;
  });
}
