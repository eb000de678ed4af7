// Of every way: what answers are, plain and streamed.
import type { ChatCompletion } from "../../../src/api/types.ts";
import { addedUp, answerFaults, streamFaults } from "../../fuzz/answer-faults.ts";
import { claim, equal, none } from "./claims.ts";
import type { Check, Fields } from "./trial.ts";
import type { Way } from "./way.ts";

/** A stream adds up to the plain answer, whatever is asked for. */
const SAME_EITHER_WAY: Record<string, Fields> = {
  "as it is": {},
  "of several choices": { n: 3, temperature: 1, seed: 5 },
  "with logprobs": { logprobs: true, top_logprobs: 3 },
  "with logprobs and no alternatives": { logprobs: true },
  "of another temperature": { temperature: 1.5, top_p: 0.9, seed: "9223372036854775807" },
  "with penalties and a bias": { frequency_penalty: 1.5, presence_penalty: -0.5, logit_bias: { "70": -100 } },
  "with a tier and names": { service_tier: "flex", user: "u", metadata: { a: "b" }, safety_identifier: "s" },
  "whose fields are null": { n: null, stop: null, logprobs: null, seed: null, tools: null, stream_options: null },
  "to a conversation": {
    messages: [
      { role: "developer", content: "Be brief." },
      { role: "user", content: [{ type: "text", text: "Hi" }] },
      { role: "assistant", content: "Hello" },
      { role: "user", content: "Again", name: "me" },
    ],
  },
};

const adding: Check<Way>[] = Object.entries(SAME_EITHER_WAY).map(([how, fields]) => ({
  claim: `a stream adds up to the plain answer, ${how}`,
  trap: 32,
  async run(trial) {
    const asked = trial.ask(fields);
    const plain = await trial.answer(fields);
    none(answerFaults(plain, asked), "the plain answer");
    claim(Math.abs(plain.created - Date.now() / 1000) < 600, `created ${plain.created} is not now, in seconds`);

    const withUsage = { ...fields, stream_options: { include_usage: true } };
    const chunks = await trial.chunks(withUsage);
    none(streamFaults(chunks, { ...asked, stream_options: { include_usage: true } }), "the chunks");
    const streamed = addedUp(chunks);
    claim(streamed.id !== plain.id, "two answers have one id");
    equal(comparable(streamed), comparable(plain), "the streamed answer");

    const bare = await trial.chunks({ ...fields, stream_options: null });
    none(streamFaults(bare, asked), "the chunks without usage");
  },
}));

/** Without what no two answers share, and what the second of them finds computed already. */
function comparable({ id: _, created: __, usage, ...rest }: Omit<ChatCompletion, "usage"> & Partial<ChatCompletion>) {
  return { ...rest, usage: usage && { ...usage, prompt_tokens_details: null } };
}

const text = ({ choices }: ChatCompletion) => choices.map(({ message }) => message.content);

const choosing: Check<Way>[] = [
  {
    claim: "a seed repeats an answer, another seed gives another, and choice 0 is the same whatever n is",
    async run({ answer }) {
      const fields = { temperature: 1, max_tokens: 16 };
      const [first, again, other, three] = [
        await answer({ ...fields, seed: 1 }),
        await answer({ ...fields, seed: 1 }),
        await answer({ ...fields, seed: 2 }),
        await answer({ ...fields, seed: 1, n: 3 }),
      ];
      equal(text(again), text(first), "the same seed's answer");
      equal(text(three)[0], text(first)[0], "choice 0 of three");
      claim(new Set([...text(three), ...text(other)]).size === 4, `some are alike: ${text(three)}, ${text(other)}`);
      equal(three.usage.prompt_tokens, first.usage.prompt_tokens, "the prompt of three choices, counted once");
      equal(three.system_fingerprint, other.system_fingerprint, "the fingerprint");
    },
  },
  {
    claim: "a stop string ends an answer before it, with the logprobs cut as the text is",
    async run({ ask, answer, chunks }) {
      const whole = text(await answer({ max_tokens: 16 }))[0]!;
      const stop = whole.slice(5, 9);
      const fields = { max_tokens: 16, stop: ["never there", stop], logprobs: true };
      const cut = await answer(fields);
      none(answerFaults(cut, ask(fields)), "the answer");
      equal(text(cut), [whole.slice(0, whole.indexOf(stop))], "the text before the stop string");
      equal(cut.choices[0]!.finish_reason, "stop", "finish_reason");
      equal(comparable(addedUp(await chunks(fields))).choices, cut.choices, "the streamed choices");
    },
  },
  {
    claim: "a token limit is `length`, by either of its names",
    async run({ answer }) {
      for (const fields of [{ max_tokens: 3 }, { max_tokens: null, max_completion_tokens: 3 }]) {
        const { choices, usage } = await answer(fields);
        equal([choices[0]!.finish_reason, usage.completion_tokens], ["length", 3], "the end");
      }
    },
  },
  {
    claim: "a prediction changes no answer, with any other field, and its tokens are counted truly",
    async run({ ask, answer, chunks }) {
      for (const more of [{}, { n: 2, temperature: 1, seed: 5, logprobs: true, presence_penalty: 1 }]) {
        const fields = { max_tokens: 16, ...more };
        const expected = await answer(fields);
        const wrong = { ...fields, prediction: { type: "content" as const, content: "\u00e9\u00e9\u00e9" } };
        const missed = await answer(wrong);
        equal(missed.choices, expected.choices, "the answer with a wrong prediction");
        equal(missed.usage.completion_tokens_details.accepted_prediction_tokens, 0, "accepted of a wrong prediction");
        const content = [{ type: "text" as const, text: text(expected)[0]! }];
        const predicted = { ...fields, prediction: { type: "content" as const, content } };
        for (const found of [
          await answer(predicted),
          addedUp(await chunks({ ...predicted, stream_options: { include_usage: true } })),
        ]) {
          none(answerFaults(found, ask(predicted)), "the answer with a prediction");
          equal(found.choices, expected.choices, "the answer with a prediction");
          const { completion_tokens, completion_tokens_details: details } = found.usage!;
          claim(details.accepted_prediction_tokens > 0, "nothing of a true prediction was accepted");
          const counted = completion_tokens - details.rejected_prediction_tokens;
          equal(counted, expected.usage.completion_tokens, "the tokens that are not rejected");
        }
      }
    },
  },
  {
    claim: "requests that run together get the answers that each gets alone",
    async run({ answer, chunks }) {
      const requests = [1, 2, 3, 4].map((seed): Fields => ({ seed, temperature: 1, max_tokens: 12 }));
      const alone: unknown[] = [];
      for (const fields of requests) alone.push(text(await answer(fields)));
      const plain = Promise.all(requests.map(async (fields) => text(await answer(fields))));
      const streamed = Promise.all(
        requests.map(async (fields) => addedUp(await chunks(fields)).choices.map(({ message }) => message.content)),
      );
      equal(await plain, alone, "the plain answers");
      equal(await streamed, alone, "the streamed answers");
    },
  },
];

const listing: Check<Way>[] = [
  {
    claim: "models are listed, and found by id",
    async run({ way, see }) {
      const { object, data } = await way.door.models.list();
      see("ListModelsResponse", { object, data });
      equal(data.map(({ id }) => id), [way.model], "the ids"); // biome-ignore format: one claim a line
      equal(see("Model", await way.door.models.retrieve(way.model)), data[0], "the model");
    },
  },
];

export const ANSWER_CHECKS: readonly Check<Way>[] = [...adding, ...choosing, ...listing];
