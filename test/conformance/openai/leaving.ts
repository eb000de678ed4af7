// Of every way: whoever leaves an answer ends the work behind it.
import { claim, equal, pause, rejection } from "./claims.ts";
import { type Check, ENDLESS, LONG } from "./trial.ts";
import type { Way } from "./way.ts";

export const LEAVING_CHECKS: readonly Check<Way>[] = [
  {
    claim: "break ends a stream, and the work behind it",
    async run({ open, endOf }) {
      const end = await endOf(async () => {
        let seen = 0;
        for await (const _ of await open(ENDLESS)) if (++seen === 5) break;
        equal(seen, 5, "chunks seen");
      });
      equal(end, "aborted", "the request's end");
    },
  },
  {
    claim: "controller.abort() ends a stream, and the work behind it",
    async run({ way, open, endOf }) {
      const end = await endOf(async () => {
        const stream = await open(ENDLESS);
        let seen = 0;
        const read = async () => {
          for await (const _ of stream) if (++seen === 5) stream.controller.abort();
        };
        // The package ends its iteration without a word; an engine says that it was cut.
        await read().catch((error) => claim(way.isAbort(error), `not an abort: ${error}`));
        equal(seen, 5, "chunks seen");
      });
      equal(end, "aborted", "the request's end");
    },
  },
  {
    claim: "a signal that has fired already ends a call before it begins",
    async run({ way, answer }) {
      const before = way.ends.length;
      claim(way.isAbort(await rejection(answer({}, { signal: AbortSignal.abort() }))), "not an abort");
      await answer(); // whatever might have come of the other call, this one ends after it
      claim(way.ends.length <= before + 1, "a request was made");
    },
  },
  {
    claim: "a signal ends a plain call at once, and the work behind it as soon as that is heard of",
    async run({ way, answer, endOf }) {
      const end = await endOf(() => aborting(way, (signal) => answer(LONG, { signal })));
      claim(way.givenUp.includes(end), `the request ended as ${end}`);
    },
  },
  {
    claim: "a signal ends a stream, and the work behind it",
    async run({ way, open, endOf }) {
      const end = await endOf(async () => {
        const controller = new AbortController();
        const stream = await open(ENDLESS, { signal: controller.signal });
        const chunks = stream[Symbol.asyncIterator]();
        await chunks.next();
        controller.abort();
        await chunks.next().catch((error) => claim(way.isAbort(error), `not an abort: ${error}`));
      });
      equal(end, "aborted", "the request's end");
    },
  },
  {
    claim: "a stream that nobody reads on holds up no other request, and goes on where it stood",
    trap: 31,
    async run({ way, answer, open }) {
      const fields = { max_tokens: 90 };
      const whole = await answer(fields);
      const chunks = (await open(fields))[Symbol.asyncIterator]();
      const first = await chunks.next();
      for (let other = 0; other < 3; other++) await answer();
      let text = first.done ? "" : (first.value.choices[0]?.delta.content ?? "");
      for (let next = await chunks.next(); !next.done; next = await chunks.next())
        text += next.value.choices[0]?.delta.content ?? "";
      equal(text, whole.choices[0]!.message.content, "the text");
      claim(way.ends.at(-1) !== "aborted", "it was cut");
    },
  },
];

/** So long a request takes at most to get from here to the engine. If not, the abort is one on the way, and ends it as well. */
const ON_THE_WAY_MS = 100;

async function aborting(way: Way, call: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const controller = new AbortController();
  const error = rejection(call(controller.signal));
  await pause(ON_THE_WAY_MS);
  controller.abort();
  claim(way.isAbort(await error), `not an abort: ${await error}`);
}
