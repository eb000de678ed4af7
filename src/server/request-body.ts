// The body of a request: bytes within a limit, UTF-8, JSON of a sane depth. What the JSON says is for api/request to judge.
import { EngineError, throwIfAborted } from "../base/errors.ts";
import { tooDeepAt } from "./json-depth.ts";
import { jsonFault } from "./json-fault.ts";

/** The API's own limit is not published; this holds 128k tokens of any text many times over, and no tab's heap minds it. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** No request of the API comes near; a schema nested deeper than a stack may recurse must not get in. */
export const MAX_NESTING = 512;

/**
 * @param contentType as the caller gave it: without one the body is taken for JSON
 * @throws EngineError `invalid_request`, `request_too_large`, `aborted`
 */
export async function readJson(
  request: Request,
  contentType: string | null,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  if (contentType !== null && !isJson(contentType))
    throw invalid(`The content type has to be application/json, in UTF-8, not '${contentType}'.`);
  const announced = Number(request.headers.get("content-length"));
  if (announced > MAX_BODY_BYTES) throw tooLarge(`${announced} bytes`);
  return parseJson(await readText(request, signal));
}

/** JSON is UTF-8 (RFC 8259): another charset would be read as something else than was written. */
function isJson(contentType: string): boolean {
  const [type, ...parameters] = contentType.toLowerCase().split(";");
  return type?.trim() === "application/json" && parameters.every((one) => !/^\s*charset=(?!"?utf-8"?\s*$)/.test(one));
}

async function readText(request: Request, signal: AbortSignal | undefined): Promise<string> {
  // Firefox has no Request.body: there the whole is taken at once, from memory that already holds it.
  const body = request.body ?? new Blob([await request.arrayBuffer()]).stream();
  const reader: ReadableStreamDefaultReader<unknown> = body.getReader();
  const leave = () => void reader.cancel().catch(ignore);
  signal?.addEventListener("abort", leave, { once: true });
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let byteLength = 0;
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause) => {
        throw invalid("The body broke off before its end.", cause);
      });
      throwIfAborted(signal);
      if (done) return text + decode(decoder);
      if (!(value instanceof Uint8Array)) throw invalid("The body's stream has to deliver Uint8Arrays.");
      byteLength += value.byteLength;
      if (byteLength > MAX_BODY_BYTES) throw tooLarge("longer");
      text += decode(decoder, value);
    }
  } finally {
    signal?.removeEventListener("abort", leave);
    leave();
  }
}

function decode(decoder: TextDecoder, bytes?: Uint8Array): string {
  try {
    return decoder.decode(bytes, { stream: bytes !== undefined });
  } catch (cause) {
    throw invalid("The body is not valid UTF-8.", cause);
  }
}

function parseJson(text: string): unknown {
  if (text.trim() === "") throw invalid("The body is empty. Send the request as a JSON object.");
  const deep = tooDeepAt(text, MAX_NESTING);
  if (deep !== undefined)
    throw invalid(`The body nests more than ${MAX_NESTING} levels of arrays and objects, at character ${deep}.`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(`The body is not valid JSON: ${faultIn(text)}.`, cause);
  }
}

function faultIn(text: string): string {
  const at = jsonFault(text) ?? text.length;
  const character = text.codePointAt(at);
  if (character === undefined) return `it ends too early, at character ${at}`;
  return `${JSON.stringify(String.fromCodePoint(character))} at character ${at} does not belong there`;
}

function invalid(message: string, cause?: unknown): EngineError<"invalid_request"> {
  return new EngineError("invalid_request", message, { cause });
}

function tooLarge(found: string): EngineError<"request_too_large"> {
  return new EngineError("request_too_large", `The body may have ${MAX_BODY_BYTES} bytes, and this one is ${found}.`);
}

function ignore(): void {}
