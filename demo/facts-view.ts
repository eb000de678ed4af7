// What is loaded and what it runs on.
import { html, nothing, type TemplateResult } from "lit/html.js";
import { formatBytes, formatCount } from "./format.ts";
import type { ModelState } from "./state.ts";

export function factsView(model: ModelState): TemplateResult | typeof nothing {
  if (model.name !== "ready") return nothing;
  const { info, serving } = model;
  const formats = Object.entries(info.formats).map(([format, count]) => `${count} × ${format}`);
  const facts: readonly (readonly [string, string])[] = [
    ["Model", info.name],
    ["Architecture", info.architecture],
    ["Parameters", formatCount(info.parameters)],
    ["File", formatBytes(info.fileBytes)],
    ["Tensors", formats.join(", ")],
    ["Context", `${info.contextLength} tokens`],
    ["Keys and values", `${info.kvCache}; ${formatBytes(info.memoryBytes)} with scratch`],
    ["Vocabulary", `${info.vocabSize} tokens, ${info.tokenizer}`],
    ["Chat template", info.template === "model" ? "the model's own" : info.template.replace("builtin:", "built in: ")],
    ["Adapter", info.adapter],
    ["GPU features", info.features.length === 0 ? "none needed, none used" : info.features.join(", ")],
    ["Fingerprint", info.fingerprint],
    ...(serving ? [["API for this origin", serving.baseURL] as const] : []),
  ];
  return html`<section class="facts" aria-label="About the model">
    <h2>Model and GPU</h2>
    <dl>
      ${facts.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
    ${info.warnings.map((warning) => html`<p class="warning">${warning}</p>`)}
  </section>`;
}
