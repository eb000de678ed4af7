import { expect, test } from "vitest";
import { DONE_EVENT, encodeEvent } from "../../src/server/sse.ts";

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("an event is one line of data and a blank one", () => {
  expect(textOf(encodeEvent({ a: 1 }))).toBe('data: {"a":1}\n\n');
  expect(textOf(DONE_EVENT)).toBe("data: [DONE]\n\n");
});

/** What the format, Unicode or a programming language takes for the end of a line. */
const LINE_ENDS = ["\n", "\r", "\u000b", "\u000c", "\u001c", "\u001d", "\u001e", "\u0085", "\u2028", "\u2029"];
const TEXTS = [...LINE_ENDS, "a\r\nb", "\n\ndata: [DONE]\n\n", "\u0000", "👋", "\ud83d"];
test.each(TEXTS)("no text ends its line, and every text comes back: %j", (content) => {
  const [, json] = /^data: (.*)\n\n$/s.exec(textOf(encodeEvent({ content })))!;
  expect(LINE_ENDS.filter((end) => json!.includes(end))).toEqual([]);
  expect(JSON.parse(json!)).toEqual({ content });
});
