// Token by token, the text of an answer: whole characters, nothing that may turn out to be a stop string, and with each
// piece of text exactly the logprob entries that it is made of.
import type { ChatCompletionTokenLogprob, TopLogprob } from "../api/types.ts";
import { createStopMatcher } from "../chat/stop.ts";
import type { Sampled } from "../sampling/sampler.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** What may go out now. */
export interface Release {
  readonly text: string;
  /** Empty unless logprobs were computed. Their bytes join to the UTF-8 of the text, over all releases. */
  readonly entries: readonly ChatCompletionTokenLogprob[];
}

export interface AnswerText {
  /** Takes one token of the answer. `stopped`: a stop string was completed, and nothing more belongs to the answer. */
  push(sampled: Sampled): Release & { readonly stopped: boolean };
  /** The rest, when the answer ends without a stop string. */
  flush(): Release;
}

interface HeldEntry {
  readonly entry: ChatCompletionTokenLogprob;
  /** Where its text ends, in UTF-16 units of the answer; unknown while a character of it is incomplete. */
  end: number | undefined;
  /** How many of its bytes complete a character that a token before it began. */
  readonly lead: number;
}

/** What stands for "practically impossible" on the wire, where -Infinity cannot be written. */
const IMPOSSIBLE = -9999;

/** With `logprobs`, text leaves in whole tokens only, so that each release has the entries of all its text and no others. */
export function createAnswerText(tokenizer: Tokenizer, stops: readonly string[], logprobs: boolean): AnswerText {
  const detokenizer = tokenizer.detokenizer();
  const matcher = createStopMatcher(stops);
  const held: HeldEntry[] = [];
  let decodedLength = 0;
  let sentLength = 0;
  /** Text that is past the stop matcher, but whose last token is not. */
  let ready = "";

  function decode(text: string): string {
    const border = decodedLength + firstCharacterLength(text);
    // The tokens before that ended inside a character end with the first one that is completed now.
    if (text !== "") for (const entry of held) entry.end ??= border;
    decodedLength += text.length;
    return text;
  }

  /** The first `count` held entries, and the text up to `end`. */
  function send(count: number, end: number): Release {
    const text = ready.slice(0, end - sentLength);
    ready = ready.slice(text.length);
    sentLength = end;
    const entries = held.splice(0, count).map(({ entry }) => entry);
    return { text, entries };
  }

  function release(text: string): Release {
    ready += text;
    const readyEnd = sentLength + ready.length;
    if (!logprobs) return send(0, readyEnd);
    let count = 0;
    let end = sentLength;
    for (const entry of held) {
      if (entry.end === undefined || entry.end > readyEnd) break;
      count++;
      end = entry.end;
    }
    // Tokens without text wait for the next text, so that no chunk is empty.
    return end === sentLength ? { text: "", entries: [] } : send(count, end);
  }

  /** Everything before a stop string. One that begins inside a token leaves that token's entry the bytes before it. */
  function cut(): Release {
    const own = utf8Length(ready);
    const index = held.findIndex(({ end }) => end === undefined || end > sentLength);
    const out = send(0, sentLength + ready.length);
    const split = held[index];
    const kept = split?.entry.bytes?.slice(0, split.lead + own) ?? [];
    if (!split || kept.length === 0) return out;
    const whole = held.slice(0, index).map(({ entry }) => entry);
    return { text: out.text, entries: [...whole, { ...split.entry, token: displayBytes(kept), bytes: kept }] };
  }

  function join(first: Release, second: Release): Release {
    return { text: first.text + second.text, entries: [...first.entries, ...second.entries] };
  }

  return {
    push(sampled) {
      const begun = detokenizer.pending;
      const text = decode(detokenizer.push(sampled.token));
      if (sampled.logprobs)
        held.push({
          entry: entryOf(tokenizer, sampled.token, sampled.logprobs),
          end: detokenizer.pending === 0 ? decodedLength : undefined,
          lead: begun === 0 ? 0 : bytesToComplete(text, begun),
        });
      const matched = matcher.push(text);
      const out = release(matched.text);
      return matched.stopped ? { ...join(out, cut()), stopped: true } : { ...out, stopped: false };
    },
    flush() {
      const matched = matcher.push(decode(detokenizer.flush()));
      if (matched.stopped) return join(release(matched.text), cut());
      ready += matched.text + matcher.flush();
      return send(held.length, sentLength + ready.length);
    },
  };
}

function entryOf(
  tokenizer: Tokenizer,
  token: number,
  { logprob, top }: NonNullable<Sampled["logprobs"]>,
): ChatCompletionTokenLogprob {
  return {
    ...describe(tokenizer, token, logprob),
    top_logprobs: top.map((alternative) => describe(tokenizer, alternative.token, alternative.logprob)),
  };
}

function describe(tokenizer: Tokenizer, token: number, logprob: number): TopLogprob {
  const bytes = [...tokenizer.piece(token)];
  return {
    token: tokenizer.label(token),
    logprob: Math.max(logprob, IMPOSSIBLE),
    bytes: bytes.length === 0 ? null : bytes,
  };
}

/** As Tokenizer.label, for a part of a piece: for a fragment of a character its bytes, as in `\xf0\x9f`. For display only. */
function displayBytes(bytes: readonly number[]): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    return bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  }
}

/** Bytes of a token that complete a character of which `begun` bytes were there; none when those proved to be no character. */
function bytesToComplete(text: string, begun: number): number {
  const character = text.slice(0, firstCharacterLength(text));
  return character === "" || character === "\ufffd" ? 0 : utf8Length(character) - begun;
}

/** UTF-16 units of the first character. */
function firstCharacterLength(text: string): number {
  return (text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1;
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
