// The gate before Comlink in the worker: calls of listed methods pass, with arguments of known kinds, and nothing else.
// Comlink by itself walks any path, prototypes included, and would set, construct and hand out new endpoints.
import type { Endpoint } from "comlink";
import { EngineError } from "../base/errors.ts";
import { toErrorRecord } from "./error.ts";

/** Comlink's names for what a message may carry, with what has to be true of its value. */
export type ArgumentKinds = Readonly<Record<string, (value: unknown) => boolean>>;

const MAX_ARGUMENTS = 8;

/** `port`, with every message that is not a plain call of one of `methods` answered by `invalid_request`. */
export function guardedEndpoint(port: Endpoint, methods: readonly string[], kinds: ArgumentKinds): Endpoint {
  const wrappers = new WeakMap<object, EventListener>();

  function isArgument(value: unknown): boolean {
    if (!isRecord(value)) return false;
    if (value["type"] === "RAW") return true;
    const name = value["name"];
    if (value["type"] !== "HANDLER" || typeof name !== "string" || !Object.hasOwn(kinds, name)) return false;
    return kinds[name]?.(value["value"]) ?? false;
  }

  function isCall({ type, path, argumentList }: Record<string, unknown>): boolean {
    return (
      type === "APPLY" &&
      Array.isArray(path) &&
      path.length === 1 &&
      methods.includes(path[0]) &&
      Array.isArray(argumentList) &&
      argumentList.length <= MAX_ARGUMENTS &&
      argumentList.every(isArgument)
    );
  }

  function refuse(id: unknown): void {
    if (typeof id !== "string") return;
    const error = new EngineError("invalid_request", "The engine's worker has no such call.");
    port.postMessage({ id, type: "HANDLER", name: "throw", value: { record: toErrorRecord(error) } });
  }

  return {
    postMessage: (message, transfer) => port.postMessage(message, transfer),
    addEventListener(type, listener) {
      const deliver = typeof listener === "function" ? listener : listener.handleEvent.bind(listener);
      const wrapper: EventListener = (event) => {
        const { data } = event as MessageEvent<unknown>;
        if (!isRecord(data)) return;
        if (typeof data["id"] === "string" && isCall(data)) deliver(event);
        else refuse(data["id"]);
      };
      wrappers.set(listener, wrapper);
      port.addEventListener(type, wrapper);
    },
    removeEventListener(type, listener) {
      const wrapper = wrappers.get(listener);
      if (wrapper) port.removeEventListener(type, wrapper);
    },
    start: () => port.start?.(),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
