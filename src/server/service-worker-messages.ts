// What a service worker and the pages behind it say to each other, and the check that each message passes on arrival.

/** Part of every name and every first message: a page and a service worker that differ in it do not know each other. */
const PROTOCOL = "ingle-1";

/** What requests are answered below, without the slash at its end: what a client takes for its base URL. */
export function baseURLOf(scope: string): string {
  return `${scope}${scope.endsWith("/") ? "" : "/"}v1`;
}

/** A page that serves holds a lock of this name and more for as long as it does, so that it can be found and its end noticed. */
export function servingLockPrefix(scope: string): string {
  return `${PROTOCOL} serves ${scope} `;
}

export function newServingLock(scope: string): string {
  return servingLockPrefix(scope) + crypto.randomUUID();
}

/** Held by the service worker until an answer has ended: a page gets it when nobody reads on. */
export function newAnswerLock(): string {
  return `${PROTOCOL} answer ${crypto.randomUUID()}`;
}

/** From the service worker to every window, with the port that the rest goes over. */
export interface Ask {
  readonly protocol: typeof PROTOCOL;
  readonly type: "ask";
  readonly scope: string;
}

/** From a page to the service worker itself. */
export interface Note {
  readonly protocol: typeof PROTOCOL;
  /** `claim`: this page is in scope and not controlled. `stay`: an answer is running, so do not fall asleep. */
  readonly type: "claim" | "stay";
}

/** From the service worker, over the port. */
export type ToPage =
  | RequestMessage
  /** Asks for the next chunk of the body: one message there, one back, so nothing piles up on the way. */
  | { readonly type: "pull" }
  /** Nobody wants the offer, or the rest of the answer. */
  | { readonly type: "leave" };

export interface RequestMessage {
  readonly type: "request";
  /** See `newAnswerLock`. */
  readonly lock: string;
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList;
  /** Crosses by reference, whatever its size. */
  readonly body: Blob | null;
}

/** From the page, over the port. Each but `failed` follows a message of the service worker's. */
export type FromPage =
  | { readonly type: "offer"; readonly lock: string }
  | HeadMessage
  | { readonly type: "chunk"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: "done" }
  /** The page's handler threw, and its console has the error. */
  | { readonly type: "failed" };

export interface HeadMessage {
  readonly type: "head";
  readonly status: number;
  readonly statusText: string;
  readonly headers: HeaderList;
  /** Without one, nothing follows. */
  readonly hasBody: boolean;
}

type HeaderList = [name: string, value: string][];

export function ask(scope: string): Ask {
  return { protocol: PROTOCOL, type: "ask", scope };
}

export function note(type: Note["type"]): Note {
  return { protocol: PROTOCOL, type };
}

/** Other scripts of the origin post to windows and service workers too; so do service workers of other scopes. */
export function isAsk(data: unknown, scope: string): data is Ask {
  return isRecord(data) && data["protocol"] === PROTOCOL && data["type"] === "ask" && data["scope"] === scope;
}

export function readNote(data: unknown): Note | undefined {
  if (!isRecord(data) || data["protocol"] !== PROTOCOL) return undefined;
  return data["type"] === "claim" || data["type"] === "stay" ? note(data["type"]) : undefined;
}

/** @returns undefined for what is no message of the protocol */
export function readToPage(data: unknown): ToPage | undefined {
  if (!isRecord(data)) return undefined;
  const { type, lock, method, url, headers, body } = data;
  switch (type) {
    case "pull":
    case "leave":
      return { type };
    case "request":
      if (!isString(lock) || !isString(method) || !isString(url) || !isHeaderList(headers)) return undefined;
      if (body !== null && !(body instanceof Blob)) return undefined;
      return { type, lock, method, url, headers, body };
    default:
      return undefined;
  }
}

/** @returns undefined for what is no message of the protocol */
export function readFromPage(data: unknown): FromPage | undefined {
  if (!isRecord(data)) return undefined;
  const { type, lock, status, statusText, headers, hasBody, bytes } = data;
  switch (type) {
    case "offer":
      return isString(lock) ? { type, lock } : undefined;
    case "head":
      if (!isStatus(status) || !isString(statusText) || !isHeaderList(headers)) return undefined;
      return typeof hasBody === "boolean" ? { type, status, statusText, headers, hasBody } : undefined;
    case "chunk":
      return isBytes(bytes) ? { type, bytes } : undefined;
    case "done":
    case "failed":
      return { type };
    default:
      return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

/** What the constructor of Response takes. */
function isStatus(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 200 && (value as number) <= 599;
}

function isHeaderList(value: unknown): value is HeaderList {
  return (
    Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isString))
  );
}

function isBytes(value: unknown): value is Uint8Array<ArrayBuffer> {
  return value instanceof Uint8Array && value.buffer instanceof ArrayBuffer;
}
