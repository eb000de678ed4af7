// Everything that the page shows, as plain data. Only app.ts changes it.
import type { Engine, ModelInfo, ProgressEvent, RequestStats } from "../src/index.ts";
import type { MarkdownView } from "./markdown.ts";
import type { Problem } from "./problem.ts";

export interface Settings {
  system: string;
  temperature: number;
  topP: number;
  /** Empty: another draw each time. */
  seed: string;
  maxTokens: number;
}

/** As the default model's authors advise: at 0.7 so small a model says "Ladle, la France" when asked for France's capital. */
export const DEFAULT_SETTINGS: Settings = { system: "", temperature: 0.2, topP: 0.9, seed: "", maxTokens: 512 };

export interface UserTurn {
  role: "user";
  text: string;
}

export interface AssistantTurn {
  role: "assistant";
  text: string;
  view: MarkdownView;
  state: "waiting" | "streaming" | "done" | "stopped" | "cut" | "failed";
  /** Why it ended early. */
  problem?: Problem;
  tokens: number;
  /** Since the request was sent; milliseconds. */
  firstTokenMs?: number;
  tokensPerSecond?: number;
  stats?: RequestStats;
}

export type Turn = UserTurn | AssistantTurn;

export type ModelState =
  | { name: "none" }
  | { name: "loading"; source: string; progress?: ProgressEvent }
  | { name: "failed"; source: string; problem: Problem }
  | { name: "ready"; source: string; engine: Engine; info: ModelInfo };

export interface State {
  model: ModelState;
  /** The model is being loaded again, for the answer that waits. */
  rebuilding: ProgressEvent | undefined;
  turns: Turn[];
  settings: Settings;
  settingsOpen: boolean;
  /** The side panel covers the page instead of standing beside it. */
  narrow: boolean;
  dropping: boolean;
  /** An answer is being made. */
  busy: boolean;
}
