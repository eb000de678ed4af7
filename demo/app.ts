// What the page does: opens models, sends messages, stops, starts over. Owns the state; the views only read it.
import { createEngine, type RequestStats } from "../src/index.ts";
import { fillTurn, openTurn } from "./answering.ts";
import { offerToOrigin } from "./origin-api.ts";
import { problemOf, report } from "./problem.ts";
import { type ControlName, controlOf } from "./settings/controls.ts";
import { type ControlValue, DEFAULT_SETTINGS } from "./settings/settings.ts";
import type { AssistantTurn, ModelState, State } from "./state.ts";

export interface App {
  readonly state: State;
  /** @param sha256 what the download has to be, where that is known */
  openModel(model: URL | File, sha256?: string): Promise<void>;
  retryModel(): Promise<void>;
  send(text: string): Promise<void>;
  stop(): void;
  newChat(): void;
  /** Which of an answer's choices the conversation goes on from. */
  choose(turn: AssistantTurn, index: number): void;
  showAs(turn: AssistantTurn, form: AssistantTurn["shownAs"]): void;
  setSystem(system: string): void;
  set(control: ControlName, value: ControlValue): void;
  resetSettings(): void;
  toggleSettings(open?: boolean): void;
  /** Opens the settings at this control. */
  reveal(control: ControlName): void;
  revealed(): void;
  setNarrow(narrow: boolean): void;
  setDropping(dropping: boolean): void;
}

/** `changed` is called after every change of the state; it may be called often. */
export function createApp(changed: () => void): App {
  const state: State = {
    model: { name: "none" },
    rebuilding: undefined,
    turns: [],
    settings: DEFAULT_SETTINGS,
    settingsOpen: false,
    mark: undefined,
    revealing: undefined,
    narrow: false,
    dropping: false,
    busy: false,
  };
  let loading: AbortController | undefined;
  let answering: AbortController | undefined;
  let lastModel: [model: URL | File, sha256?: string] | undefined;
  let onStats: ((stats: RequestStats) => void) | undefined;

  async function openModel(model: URL | File, sha256?: string): Promise<void> {
    loading?.abort();
    answering?.abort();
    const controller = new AbortController();
    loading = controller;
    lastModel = sha256 === undefined ? [model] : [model, sha256];
    const source = model instanceof URL ? (model.pathname.split("/").pop() ?? model.href) : model.name;
    const before = state.model;
    state.model = { name: "loading", source };
    changed();
    if (before.name === "ready") {
      before.serving?.dispose();
      await before.engine.dispose();
    }
    const isCurrent = () => loading === controller;
    try {
      const engine = await createEngine({
        model,
        ...(sha256 !== undefined && { sha256 }),
        signal: controller.signal,
        onProgress: (progress) => {
          if (!isCurrent()) return;
          // A lost device or a crashed worker is rebuilt under an engine that is in use.
          if (state.model.name === "ready") state.rebuilding = progress.phase === "ready" ? undefined : progress;
          else state.model = { name: "loading", source, progress };
          changed();
        },
        onStats: (stats) => onStats?.(stats),
      });
      if (!isCurrent()) return void engine.dispose();
      const ready: ModelState = { name: "ready", source, model, engine, info: engine.info };
      state.model = ready;
      void offerToOrigin(engine).then((serving) => {
        if (!serving) return;
        if (state.model !== ready) return serving.dispose();
        ready.serving = serving;
        changed();
      });
    } catch (error) {
      if (!isCurrent()) return;
      state.model = { name: "failed", source, problem: problemOf(error) };
      report(error);
    }
    changed();
  }

  async function send(text: string): Promise<void> {
    const { model } = state;
    if (state.busy || model.name !== "ready" || text.trim() === "") return;
    const answer = openTurn(model, state.settings, state.turns, text);
    state.turns.push({ role: "user", text }, answer);
    state.mark = undefined;
    if (answer.request !== undefined) {
      state.busy = true;
      changed();
      const controller = new AbortController();
      answering = controller;
      onStats = (stats) => {
        answer.stats = stats;
        changed();
      };
      await fillTurn(model.engine, answer, answer.request, controller.signal, changed);
      state.rebuilding = undefined;
      if (answering === controller) state.busy = false;
    }
    const control = controlOf(answer.problem?.param);
    if (control !== undefined) state.mark = { control, what: answer.problem!.what };
    changed();
  }

  return {
    state,
    openModel,
    async retryModel() {
      if (lastModel !== undefined) await openModel(...lastModel);
    },
    send,
    stop: () => answering?.abort(),
    newChat() {
      answering?.abort();
      state.turns = [];
      changed();
    },
    choose(turn, index) {
      turn.chosen = index;
      changed();
    },
    showAs(turn, form) {
      turn.shownAs = form;
      changed();
    },
    setSystem(system) {
      state.settings = { ...state.settings, system };
      changed();
    },
    set(control, value) {
      const { settings, mark } = state;
      state.settings = { ...settings, values: { ...settings.values, [control]: value } };
      if (mark?.control === control) state.mark = undefined;
      changed();
    },
    resetSettings() {
      state.settings = DEFAULT_SETTINGS;
      state.mark = undefined;
      changed();
    },
    toggleSettings(open = !state.settingsOpen) {
      state.settingsOpen = open;
      changed();
    },
    reveal(control) {
      state.settingsOpen = true;
      state.revealing = control;
      changed();
    },
    revealed() {
      state.revealing = undefined;
    },
    setNarrow(narrow) {
      state.narrow = narrow;
      state.settingsOpen = !narrow;
      changed();
    },
    setDropping(dropping) {
      if (state.dropping === dropping) return;
      state.dropping = dropping;
      changed();
    },
  };
}
