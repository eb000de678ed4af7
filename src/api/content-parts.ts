// The content of a message: a string, or parts of the kinds that its role may have. Only text reaches the model; the other
// kinds are checked for their shape and refused by name.
import { array, type Check, invalid, join, object, oneOf, string, unsupported, wrongType } from "./checks.ts";
import { allowKeys, optional, required } from "./entries.ts";

/** Text, or texts that follow one another: whoever reads them joins them without anything between. */
export type RequestContent = string | readonly { readonly type: "text"; readonly text: string }[];

type Role = "system" | "developer" | "user" | "assistant" | "tool";
type PartType = "text" | "image_url" | "input_audio" | "file" | "refusal";

const PARTS_OF: Readonly<Record<Role, readonly PartType[]>> = {
  system: ["text"],
  developer: ["text"],
  user: ["text", "image_url", "input_audio", "file"],
  assistant: ["text", "refusal"],
  tool: ["text"],
};
const PARTS = { min: 1, max: Number.POSITIVE_INFINITY };

/** @returns the check of a content in this role; a refusal part is not text, and is taken out before (readRefusalPart) */
export function readContent(role: Role): Check<RequestContent> {
  return (value, path) => {
    if (typeof value === "string") return value;
    if (!Array.isArray(value)) return wrongType(value, path, "a string or an array of content parts");
    return array((part, at) => textPart(part, at, role), PARTS)(value, path);
  };
}

/**
 * The text of a content that is one refusal part; undefined where there is none.
 * @throws EngineError `invalid_request` for a refusal that is not alone
 */
export function readRefusalPart(value: unknown, path: string): string | undefined {
  if (!Array.isArray(value)) return undefined;
  const place = value.findIndex((part) => (part as { readonly type?: unknown } | null | undefined)?.type === "refusal");
  if (place < 0) return undefined;
  const at = `${path}[${place}]`;
  if (value.length > 1) {
    const text = `Invalid '${at}.type': a refusal has to be the only part, and there are ${value.length}.`;
    throw invalid(`${at}.type`, "invalid_value", text);
  }
  const entries = object(value[place], at);
  allowKeys(entries, at, ["type", "refusal"]);
  return required(entries, at, "refusal", string);
}

function textPart(value: unknown, path: string, role: Role): { type: "text"; text: string } {
  const entries = object(value, path);
  const type = required(entries, path, "type", oneOf(...PARTS_OF[role]));
  switch (type) {
    case "text": {
      allowKeys(entries, path, ["type", "text", "prompt_cache_breakpoint"]);
      const text = required(entries, path, "text", string);
      optional(entries, path, "prompt_cache_breakpoint", breakpoint);
      return { type, text };
    }
    case "image_url":
    case "input_audio":
    case "file":
      allowKeys(entries, path, ["type", type, "prompt_cache_breakpoint"]);
      required(entries, path, type, MEDIA[type].check);
      optional(entries, path, "prompt_cache_breakpoint", breakpoint);
      throw unsupported(join(path, "type"), MEDIA[type].advice);
    case "refusal":
      throw new RangeError("A refusal part was taken for text."); // readRefusalPart comes first
  }
}

/** What is not text: its shape, and what a model lacks that takes text alone. */
const MEDIA: Readonly<Record<"image_url" | "input_audio" | "file", { check: Check<void>; advice: string }>> = {
  image_url: {
    check: (value, path) => {
      const entries = object(value, path);
      allowKeys(entries, path, ["url", "detail"]);
      required(entries, path, "url", string);
      optional(entries, path, "detail", oneOf("auto", "low", "high"));
    },
    advice: "This model has no image tower, so it sees no 'image_url': describe the image in text.",
  },
  input_audio: {
    check: (value, path) => {
      const entries = object(value, path);
      allowKeys(entries, path, ["data", "format"]);
      required(entries, path, "data", string);
      required(entries, path, "format", oneOf("wav", "mp3"));
    },
    advice: "This model has no audio tower, so it hears no 'input_audio': send a transcript as text.",
  },
  file: {
    check: (value, path) => {
      const entries = object(value, path);
      allowKeys(entries, path, ["file_data", "filename", "file_id"]);
      optional(entries, path, "file_data", string);
      optional(entries, path, "filename", string);
      optional(entries, path, "file_id", string);
      if (entries.has("file_id")) return;
      required(entries, path, "file_data", string);
      required(entries, path, "filename", string);
    },
    advice: "This model reads no 'file', and the engine takes no text out of one: send its text.",
  },
};

/** It asks that the prefix up to here be kept, as every prefix is. */
const breakpoint: Check<true> = (value, path) => {
  const entries = object(value, path);
  allowKeys(entries, path, ["mode"]);
  required(entries, path, "mode", oneOf("explicit"));
  return true;
};
