// The page at work: draws the state at most once a frame, follows the end of a growing answer, takes keys and dropped files.
import { render } from "lit/html.js";
import { type App, createApp } from "./app.ts";
import { pageView } from "./page-view.ts";
import { focusControl } from "./settings/settings-view.ts";

/** Within this many pixels of the end, the view stays at the end. */
const FOLLOW_WITHIN = 80;

/** Fills the document; once for each. No model is open yet. */
export function startPage(): App {
  let scheduled = false;
  const app = createApp(() => {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(draw);
  });
  // As in styles/frame.css.
  const narrow = matchMedia("(max-width: 64rem)");
  narrow.addEventListener("change", () => app.setNarrow(narrow.matches));
  app.setNarrow(narrow.matches);
  let settingsWereOpen = app.state.settingsOpen;

  function draw(): void {
    scheduled = false;
    const before = document.querySelector(".scroll");
    const follow = before === null || before.scrollHeight - before.scrollTop - before.clientHeight < FOLLOW_WITHIN;
    render(pageView(app), document.body);
    if (settingsWereOpen !== app.state.settingsOpen) keepFocus(app.state.settingsOpen);
    settingsWereOpen = app.state.settingsOpen;
    if (app.state.revealing !== undefined) focusControl(app.state.revealing);
    app.revealed();
    const after = document.querySelector(".scroll");
    if (follow && after !== null) after.scrollTop = after.scrollHeight;
  }

  listen(app);
  return app;
}

/** Focus that the panel has covered goes into it; focus that closed with it goes back to the button that opened it. */
function keepFocus(settingsOpen: boolean): void {
  const focused = document.activeElement;
  const lost = focused === document.body || focused?.closest("[inert], [hidden]");
  const target = settingsOpen ? "#settings button" : "[aria-controls=settings]";
  if (lost) document.querySelector<HTMLElement>(target)?.focus();
}

function listen(app: App): void {
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
}
