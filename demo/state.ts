// Everything that the page shows, as plain data. Only app.ts and answering.ts change it.
import type { CompletionUsage, Engine, ModelInfo, ProgressEvent, RequestStats, ServingPage } from "../src/index.ts";
import type { Choice, Ending } from "./answer.ts";
import type { Problem } from "./problem.ts";
import type { RequestBody } from "./request.ts";
import type { ControlName } from "./settings/controls.ts";
import type { Settings } from "./settings/settings.ts";

export interface UserTurn {
  readonly role: "user";
  readonly text: string;
}

export interface AssistantTurn {
  readonly role: "assistant";
  /** What was sent; absent where nothing could be. */
  readonly request?: RequestBody;
  /** What answered it. */
  readonly model: URL | File;
  readonly choices: readonly Choice[];
  /** Index of the choice that the conversation goes on from. */
  chosen: number;
  shownAs: "text" | "tokens";
  /** Of `performance.now()`. */
  readonly sentAt: number;
  ending?: Ending;
  /** Why it failed. */
  problem?: Problem;
  usage?: CompletionUsage;
  /** The engine's own figures of the whole request. */
  stats?: RequestStats;
}

export type Turn = UserTurn | AssistantTurn;

export type ModelState =
  | { name: "none" }
  | { name: "loading"; source: string; progress?: ProgressEvent }
  | { name: "failed"; source: string; problem: Problem }
  | {
      name: "ready";
      source: string;
      model: URL | File;
      engine: Engine;
      info: ModelInfo;
      /** Answers for all of the origin, once the service worker does. */
      serving?: ServingPage;
    };

/** A control at fault, and why. */
export interface Mark {
  readonly control: ControlName;
  readonly what: string;
}

export interface State {
  model: ModelState;
  /** The model is being loaded again, for the answer that waits. */
  rebuilding: ProgressEvent | undefined;
  turns: Turn[];
  settings: Settings;
  settingsOpen: boolean;
  /** What the last request was refused for, until the control is changed or the next request is sent. */
  mark: Mark | undefined;
  /** The control that takes the focus once it is drawn. */
  revealing: ControlName | undefined;
  /** The side panel covers the page instead of standing beside it. */
  narrow: boolean;
  dropping: boolean;
  /** An answer is being made. */
  busy: boolean;
}
