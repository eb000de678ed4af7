// Starts the page: draws the state at most once a frame, follows the end of a growing answer, takes keys and dropped files.
import { render } from "lit/html.js";
import { createApp } from "./app.ts";
import { DEFAULT_MODEL } from "./default-model.ts";
import { pageView } from "./page-view.ts";

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
  keepFocus();
  const after = document.querySelector(".scroll");
  if (follow && after !== null) after.scrollTop = after.scrollHeight;
}

/** Focus that the panel has covered goes into it; focus that closed with it goes back to the button that opened it. */
function keepFocus(): void {
  const { settingsOpen } = app.state;
  if (settingsOpen === settingsWereOpen) return;
  settingsWereOpen = settingsOpen;
  const focused = document.activeElement;
  const lost = focused === document.body || focused?.closest("[inert], [hidden]");
  const target = settingsOpen ? "#settings button" : "[aria-controls=settings]";
  if (lost) document.querySelector<HTMLElement>(target)?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (app.state.busy) app.stop();
  else if (app.state.settingsOpen) app.toggleSettings(false);
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
let settingsWereOpen = app.state.settingsOpen;
const named = new URLSearchParams(location.search).get("model");
if (named === null) app.openModel(new URL(`./models/${DEFAULT_MODEL.name}`, location.href), DEFAULT_MODEL.sha256);
else app.openModel(new URL(named, location.href));
