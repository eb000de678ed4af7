// What the page does: opens models, sends messages, stops, starts over. Owns the state; the views only read it.
import { createEngine, type Engine, isEngineError, type RequestStats } from "../src/index.ts";
import { createMarkdownView } from "./markdown.ts";
import { problemOf } from "./problem.ts";
import { type AssistantTurn, DEFAULT_SETTINGS, type Settings, type State } from "./state.ts";

export interface App {
  readonly state: State;
  /** @param sha256 what the download has to be, where that is known */
  openModel(model: URL | File, sha256?: string): Promise<void>;
  retryModel(): Promise<void>;
  send(text: string): Promise<void>;
  stop(): void;
  newChat(): void;
  set(settings: Partial<Settings>): void;
  toggleSettings(open?: boolean): void;
  setNarrow(narrow: boolean): void;
  setDropping(dropping: boolean): void;
}

/** `changed` is called after every change of the state; it may be called often. */
export function createApp(changed: () => void): App {
  const state: State = {
    model: { name: "none" },
    rebuilding: undefined,
    turns: [],
    settings: { ...DEFAULT_SETTINGS },
    settingsOpen: false,
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
    if (before.name === "ready") await before.engine.dispose();
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
      state.model = { name: "ready", source, engine, info: engine.info };
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
    const messages = messagesOf(state, text);
    const answer: AssistantTurn = {
      role: "assistant",
      text: "",
      view: createMarkdownView(),
      state: "waiting",
      tokens: 0,
    };
    state.turns.push({ role: "user", text }, answer);
    state.busy = true;
    changed();
    const controller = new AbortController();
    answering = controller;
    onStats = (stats) => {
      answer.stats = stats;
      changed();
    };
    try {
      await fillAnswer(model.engine, messages, state.settings, answer, controller.signal, changed);
    } catch (error) {
      if (isEngineError(error, "aborted")) answer.state = "stopped";
      else {
        answer.state = "failed";
        answer.problem = problemOf(error);
        report(error);
      }
    } finally {
      answer.view.end();
      state.rebuilding = undefined;
      if (answering === controller) state.busy = false;
      changed();
    }
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
    set(settings) {
      Object.assign(state.settings, settings);
      changed();
    },
    toggleSettings(open = !state.settingsOpen) {
      state.settingsOpen = open;
      changed();
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

type Messages = Parameters<Engine["chat"]["completions"]["create"]>[0]["messages"];

/** Failed turns without any text are left out, with the question that they did not answer. */
function messagesOf({ turns, settings }: State, text: string): Messages {
  const messages: Messages = [];
  if (settings.system.trim() !== "") messages.push({ role: "system", content: settings.system });
  turns.forEach((turn, index) => {
    const answer = turn.role === "assistant" ? turn : turns[index + 1];
    if (answer?.role !== "assistant" || answer.text === "") return;
    messages.push({ role: turn.role, content: turn.text });
  });
  messages.push({ role: "user", content: text });
  return messages;
}

async function fillAnswer(
  engine: Engine,
  messages: Messages,
  { temperature, topP, seed, maxTokens }: Settings,
  answer: AssistantTurn,
  signal: AbortSignal,
  changed: () => void,
): Promise<void> {
  const sentAt = performance.now();
  const stream = await engine.chat.completions.create(
    {
      model: engine.info.id,
      messages,
      temperature,
      top_p: topP,
      max_completion_tokens: maxTokens,
      stream: true,
      ...(seed !== "" && { seed: Number(seed) }),
    },
    { signal },
  );
  let firstAt: number | undefined;
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    if (choice?.delta.content) {
      const now = performance.now();
      firstAt ??= now;
      answer.state = "streaming";
      answer.firstTokenMs = firstAt - sentAt;
      answer.text += choice.delta.content;
      answer.view.write(choice.delta.content);
      answer.tokens++;
      if (answer.tokens > 1) answer.tokensPerSecond = ((answer.tokens - 1) * 1000) / (now - firstAt);
    }
    if (choice?.finish_reason) answer.state = choice.finish_reason === "length" ? "cut" : "done";
    changed();
  }
  // A stream that was stopped ends quietly.
  if (answer.state === "waiting" || answer.state === "streaming") answer.state = "stopped";
}

/** Faults of the engine's own are on the page in words; anything else belongs in the console. */
function report(error: unknown): void {
  if (!isEngineError(error)) console.error(error);
}
