// A way into an engine, as the checks of this folder know it: whom they call, and what they can watch.
// Nothing here knows vitest or Node: the same checks run in a page.
import type { ClientOptions, OpenAI } from "openai";
import { type EngineError, isEngineError } from "../../../src/base/errors.ts";
import type { AnsweringEngine } from "../../../src/server/fetch-handler.ts";

/** The engine behind it answers letters without an end, others for every seed. */
export interface Way {
  /** Id of the model that answers; there is no other. */
  readonly model: string;
  /** An engine, or a client of the `openai` package: what is called here is called alike in both. */
  readonly door: AnsweringEngine;
  /** One entry for each request that has ended, in any way: `aborted` when its caller left. */
  readonly ends: readonly string[];
  /** Where entries come late: resolves when there is one for each request that was answered before. */
  readonly allTold?: (() => Promise<void>) | undefined;
  /** How a request may end whose caller leaves before its response begins: `aborted`, where that can be heard. */
  readonly givenUp: readonly string[];
  /** Says of what a call was ended with that its caller had left. */
  isAbort(error: unknown): boolean;
}

/** A way that requests and responses go. */
export interface ClientWay extends Way {
  readonly package: typeof OpenAI;
  clientOf(options?: ClientOptions): OpenAI;
  /** The same way without the package. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
}

/** A way to an engine that does what it is told. */
export interface ScriptedWay extends ClientWay {
  /** What it answers, whole, to a message of `GREETING`. */
  readonly greeting: string;
  /** Its next step fails. */
  failNext(error: EngineError): void;
}

export const GREETING = "Greet me.";

export function directWay(door: AnsweringEngine, facts: Pick<Way, "model" | "ends">): Way {
  return { ...facts, door, givenUp: ["aborted"], isAbort: (error) => isEngineError(error, "aborted") };
}

/** @param options what every client of this way is made with */
export function clientWay(
  openai: typeof OpenAI,
  options: ClientOptions,
  { model, ends, allTold }: Pick<Way, "model" | "ends" | "allTold">,
): ClientWay {
  const clientOf = (more: ClientOptions = {}) => new openai({ apiKey: "local", ...options, ...more });
  return {
    model,
    ends,
    allTold,
    givenUp: ["aborted"],
    package: openai,
    clientOf,
    fetch: (options.fetch as ClientWay["fetch"] | undefined) ?? ((url, init) => fetch(url, init)),
    door: clientOf() as unknown as AnsweringEngine,
    isAbort: (error) => error instanceof openai.APIUserAbortError,
  };
}
