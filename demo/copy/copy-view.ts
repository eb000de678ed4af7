// Buttons that copy an answer's request, say that they did, and where the clipboard is denied show the text to copy by hand.
import { html, type TemplateResult } from "lit/html.js";
import type { RequestBody } from "../request.ts";
import { asCurl, asSdkCode } from "./copy-as.ts";
import { showText } from "./text-dialog.ts";

const CONFIRMED_MS = 2_000;

export function copyView(request: RequestBody, model: URL | File): TemplateResult {
  const forms = [
    { name: "curl", note: "Sends it to what “npm run serve” serves.", text: () => asCurl(request) },
    { name: "SDK code", note: "For a page with the openai package.", text: () => asSdkCode(request, model) },
  ];
  return html`<div class="copy" role="group" aria-label="Copy the request">
    ${forms.map(
      ({ name, note, text }) =>
        html`<button
          type="button"
          class="small-button"
          title=${note}
          @click=${(event: Event) => copy(event.currentTarget as HTMLButtonElement, `Copy as ${name}`, text())}
        >
          Copy as ${name}
        </button>`,
    )}
    <span class="copied" role="status"></span>
  </div>`;
}

async function copy(button: HTMLButtonElement, title: string, text: string): Promise<void> {
  try {
    // Undefined where the page is no secure context.
    if (navigator.clipboard === undefined) throw new DOMException("there is no clipboard here", "NotAllowedError");
    await navigator.clipboard.writeText(text);
  } catch {
    return showText(title, text);
  }
  const status = button.parentElement!.querySelector(".copied")!;
  status.textContent = "Copied";
  setTimeout(() => {
    status.textContent = "";
  }, CONFIRMED_MS);
}
