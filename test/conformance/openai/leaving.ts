// Of every way: whoever leaves an answer ends the work behind it.
import { claim, equal, pause, rejection } from "./claims.ts";
import { type Check, ENDLESS } from "./trial.ts";
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
    claim: "a signal ends a plain answer while it is being made",
    async run({ way, answer, endOf }) {
      const end = await endOf(() => aborting(way, (signal) => answer(ENDLESS, { signal })));
      equal(end, "aborted", "the request's end");
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
