// Server-sent events as the Chat Completions API uses them: data alone, one line of JSON an event, no names and no ids.

const encoder = new TextEncoder();

/** The end of a whole answer. A stream without it was cut. */
export const DONE_EVENT = encoder.encode("data: [DONE]\n\n");

/** JSON escapes the line ends of the format, and these line ends of Unicode, at which some clients split too, are escaped here. */
export function encodeEvent(value: unknown): Uint8Array<ArrayBuffer> {
  const json = JSON.stringify(value).replace(/[\u0085\u2028\u2029]/g, escapeUnit);
  return encoder.encode(`data: ${json}\n\n`);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
