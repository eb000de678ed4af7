// Starts the page: draws the state at most once a frame, follows the end of a growing answer, takes keys and dropped files.
import { render } from "lit/html.js";
import { createApp } from "./app.ts";
import { pageView } from "./page-view.ts";

const DEFAULT_MODEL = "./models/SmolLM2-135M-Instruct.Q4_1.gguf";
/** Within this many pixels of the end, the view stays at the end. */
const FOLLOW_WITHIN = 80;

let scheduled = false;
const app = createApp(() => {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(draw);
});

function draw(): void {
  scheduled = false;
  const before = document.querySelector(".scroll");
  const follow = before === null || before.scrollHeight - before.scrollTop - before.clientHeight < FOLLOW_WITHIN;
  render(pageView(app), document.body);
  const after = document.querySelector(".scroll");
  if (follow && after !== null) after.scrollTop = after.scrollHeight;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (app.state.busy) app.stop();
  else if (app.state.settingsOpen) {
    app.toggleSettings(false);
    document.querySelector<HTMLElement>("[aria-controls=settings]")?.focus();
  }
});

document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  app.setDropping(true);
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) app.setDropping(false);
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  app.setDropping(false);
  const file = event.dataTransfer?.files[0];
  if (file) app.openModel(file);
});

// As in style.css.
const narrow = matchMedia("(max-width: 64rem)");
narrow.addEventListener("change", () => app.setNarrow(narrow.matches));
app.setNarrow(narrow.matches);
const named = new URLSearchParams(location.search).get("model");
app.openModel(new URL(named ?? DEFAULT_MODEL, location.href));
