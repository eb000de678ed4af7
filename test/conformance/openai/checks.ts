// The conformance suite: what holds of every way into an engine, by kind of way.
import { ANSWER_CHECKS } from "./answers.ts";
import { CLIENT_CHECKS } from "./clients.ts";
import { LEAVING_CHECKS } from "./leaving.ts";
import { REFUSAL_CHECKS } from "./refusals.ts";
import { SCRIPT_CHECKS } from "./scripts.ts";
import { STREAM_HELPER_CHECKS } from "./stream-helper.ts";
import type { Check } from "./trial.ts";
import type { ClientWay, ScriptedWay, Way } from "./way.ts";

/** Also of an engine that is called directly. */
export const CHECKS_OF_WAYS: readonly Check<Way>[] = [...ANSWER_CHECKS, ...REFUSAL_CHECKS, ...LEAVING_CHECKS];

/** Of whatever the `openai` package's client can be pointed at. */
export const CHECKS_OF_CLIENTS: readonly Check<ClientWay>[] = [
  ...CHECKS_OF_WAYS,
  ...CLIENT_CHECKS,
  ...STREAM_HELPER_CHECKS,
];

/** Where the answers are known and failures can be ordered, too. */
export const CHECKS_OF_SCRIPTS: readonly Check<ScriptedWay>[] = [...CHECKS_OF_CLIENTS, ...SCRIPT_CHECKS];
