// AbortSignal over a port: one message, when it fires.
import { invariant } from "../base/invariant.ts";

const ports = new WeakMap<AbortSignal, MessagePort>();

/** The port to send. The signal's owner calls `forgetSignal` when the call is over. */
export function sendSignal(signal: AbortSignal): MessagePort {
  invariant(!ports.has(signal), "a signal is sent once: derive one for each call");
  const { port1, port2 } = new MessageChannel();
  ports.set(signal, port1);
  if (signal.aborted) port1.postMessage(null);
  else signal.addEventListener("abort", () => port1.postMessage(null), { once: true });
  return port2;
}

/** Closes the port of a signal that nobody needs any more. */
export function forgetSignal(signal: AbortSignal): void {
  ports.get(signal)?.close();
}

export function receiveSignal(port: MessagePort): AbortSignal {
  const controller = new AbortController();
  port.onmessage = () => {
    controller.abort();
    port.close();
  };
  return controller.signal;
}
