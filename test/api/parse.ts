// A request of one message for a model of 1,000 tokens, to be changed by each test, and what the checks make of it.
import { type ChatRequest, parseRequest, type RequestLimits } from "../../src/api/request.ts";
import { type EngineError, isEngineError } from "../../src/base/errors.ts";

export const MESSAGES = [{ role: "user", content: "Hi" }];
export const BASE = { model: "m", messages: MESSAGES };

/** Encodes each character to its code, so that a text's last token is its last character; token 2 ends answers. */
export const LIMITS: RequestLimits = {
  tokenizer: {
    vocabSize: 1000,
    endIds: new Set([2]),
    encode: (text) => Int32Array.from(text as string, (character) => character.charCodeAt(0)),
  },
  templateVariables: new Set(),
};

export function parse(fields: object = {}, limits: Partial<RequestLimits> = {}): ChatRequest {
  return parseRequest({ ...BASE, ...fields }, { ...LIMITS, ...limits });
}

/** The typed refusal of a body; anything else that happens fails the test. */
export function errorOf(body: unknown, limits: Partial<RequestLimits> = {}): EngineError {
  try {
    parseRequest(body, { ...LIMITS, ...limits });
  } catch (error) {
    if (isEngineError(error)) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(body)}`);
}
