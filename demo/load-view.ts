// Loading: which phase, how many bytes, how fast; and when it failed, why and what to do.
import { html, nothing, type TemplateResult } from "lit/html.js";
import type { LoadPhase, ProgressEvent } from "../src/index.ts";
import type { App } from "./app.ts";
import { formatBytes } from "./format.ts";
import { problemView } from "./problem-view.ts";

const PHASES: Readonly<Record<LoadPhase, string>> = {
  download: "Downloading",
  cache: "Reading from this browser's storage",
  upload: "Moving weights to the GPU",
  compile: "Compiling kernels",
  ready: "Ready",
};

export function loadView(app: App): TemplateResult | typeof nothing {
  const { model } = app.state;
  switch (model.name) {
    case "none":
      return html`<section class="card" aria-label="Model">
        <h2>No model is open</h2>
        <p>Open a <code>.gguf</code> file from this computer, or drop one anywhere on the page.</p>
      </section>`;
    case "loading":
      return html`<section class="card" aria-label="Loading the model">
        <h2>Kindling ${model.source}</h2>
        ${model.progress === undefined ? html`<progress aria-label="Opening"></progress>` : progressView(model.progress)}
        <p class="quiet">The model stays in this browser: the next visit needs no download.</p>
      </section>`;
    case "failed":
      return html`<section class="card failed" aria-label="The model did not load">
        <h2>${model.source} did not load</h2>
        ${problemView(app, model.problem)}
        <p class="row"><button type="button" class="primary" @click=${() => app.retryModel()}>Try again</button></p>
      </section>`;
    case "ready":
      return nothing;
    default:
      return model satisfies never;
  }
}

/** Shown in the conversation, since an answer waits for it. */
export function rebuildView(progress: ProgressEvent | undefined): TemplateResult | typeof nothing {
  if (progress === undefined) return nothing;
  return html`<section class="card" aria-label="Loading the model again">${progressView(progress)}</section>`;
}

function progressView({ phase, bytes, total, bytesPerSecond }: ProgressEvent): TemplateResult {
  const inBytes = phase !== "compile";
  const amount = inBytes ? `${formatBytes(bytes)} of ${formatBytes(total)}` : `${bytes} of ${total}`;
  const rate = inBytes && bytesPerSecond > 0 && bytes < total ? `, ${formatBytes(bytesPerSecond)}/s` : "";
  return html`<p class="phase" role="status">${PHASES[phase]}</p>
    <progress max="1" .value=${total > 0 ? Math.min(1, bytes / total) : 0} aria-label=${PHASES[phase]}></progress>
    <p class="quiet amount">${amount}${rate}</p>`;
}
