// Of every way to an engine that plays a script: answers that end by themselves, and failures of the engine's own.
import type { ChatCompletion } from "../../../src/api/types.ts";
import { EngineError } from "../../../src/base/errors.ts";
import { addedUp } from "../../fuzz/answer-faults.ts";
import { claim, equal, rejection } from "./claims.ts";
import type { Check } from "./trial.ts";
import { GREETING, type ScriptedWay } from "./way.ts";

const greeted = { messages: [{ role: "user" as const, content: GREETING }], max_tokens: null };
const failure = () => new EngineError("numeric_fault", "The script failed.");

export const SCRIPT_CHECKS: readonly Check<ScriptedWay>[] = [
  {
    claim: "an answer that ends by itself is `stop`, and its characters come whole though they span tokens",
    async run({ way, answer, chunks }) {
      const fields = { ...greeted, logprobs: true };
      const plain = await answer(fields);
      const { finish_reason, message, logprobs } = plain.choices[0]!;
      equal([message.content, finish_reason], [way.greeting, "stop"], "the answer");
      equal(logprobs!.content!.length, plain.usage.completion_tokens, "entries, one for each token that counts");
      const streamed = await chunks(fields);
      for (const { choices } of streamed) claim(!choices[0]!.delta.content?.includes("\ufffd"), "half a character");
      equal((addedUp(streamed) as ChatCompletion).choices, plain.choices, "the streamed choices");
    },
  },
  {
    claim: "a failure before the first byte is an InternalServerError, and is not tried again",
    async run(trial) {
      const { way } = trial;
      for (const stream of [false, true]) {
        way.failNext(failure());
        let error: Record<string, unknown> = {};
        const end = await trial.endOf(async () => {
          error = await rejection(stream ? trial.open() : trial.answer());
        });
        claim(error instanceof way.package.InternalServerError, `${error} is no InternalServerError`);
        equal([error["status"], error["code"], end], [500, "numeric_fault", "numeric_fault"], "status, code and end");
        claim(/^req_/.test(String(error["requestID"])), "the error has no request id");
        trial.see("ErrorResponse", { error: error["error"] });
      }
    },
  },
  {
    claim: "a failure in mid-stream is an APIError without a status, after the chunks before it",
    async run(trial) {
      const { way } = trial;
      let seen = 0;
      const end = await trial.endOf(async () => {
        const stream = await trial.open({ max_tokens: null });
        const read = async () => {
          for await (const _ of stream) if (++seen === 3) way.failNext(failure());
        };
        const error = await rejection(read());
        claim(error instanceof way.package.APIError, `${error} is no APIError`);
        equal(
          [error["status"], error["code"], error["type"]],
          [undefined, "numeric_fault", "server_error"],
          "the error",
        );
        trial.see("ErrorResponse", { error: error["error"] });
      });
      claim(seen >= 3, `only ${seen} chunks came`);
      equal(end, "numeric_fault", "the request's end");
    },
  },
];
