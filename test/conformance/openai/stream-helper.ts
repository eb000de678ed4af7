// Of every way that requests go: `.stream()`, the package's helper, which is strict about the order of chunks.
import type { ChatCompletion, ChatCompletionChunk } from "../../../src/api/types.ts";
import { claim, equal, rejection } from "./claims.ts";
import { type Check, ENDLESS, type Fields, type Trial } from "./trial.ts";
import type { ClientWay } from "./way.ts";

type Runner = ReturnType<ReturnType<ClientWay["clientOf"]>["chat"]["completions"]["stream"]>;

function start(trial: Trial<ClientWay>, fields: Fields = {}): Runner {
  const params = trial.ask(fields) as unknown as Parameters<
    ReturnType<ClientWay["clientOf"]>["chat"]["completions"]["stream"]
  >[0];
  const runner = trial.way.clientOf().chat.completions.stream(params);
  runner.on("chunk", (chunk) => trial.see("CreateChatCompletionStreamResponse", chunk));
  return runner;
}

const EVENTS = [
  "connect",
  "chunk",
  "content",
  "content.delta",
  "content.done",
  "logprobs.content.delta",
  "logprobs.content.done",
  "chatCompletion",
  "message",
  "finalChatCompletion",
  "finalMessage",
  "finalContent",
  "totalUsage",
  "refusal.delta",
  "refusal.done",
  "tool_calls.function.arguments.delta",
  "logprobs.refusal.delta",
  "functionToolCall",
  "error",
  "abort",
  "end",
] as const;

/** Every event of the helper, as it happens. */
function record(runner: Runner): { readonly told: string[]; readonly last: Map<string, readonly unknown[]> } {
  const told: string[] = [];
  const last = new Map<string, readonly unknown[]>();
  for (const event of EVENTS)
    runner.on(event, (...details: unknown[]) => {
      told.push(event);
      last.set(event, details);
    });
  return { told, last };
}

/** The order that an answer of so many pieces is told in. */
function order(pieces: number, logprobs: boolean): string[] {
  const piece = ["chunk", "content", "content.delta", ...(logprobs ? ["logprobs.content.delta"] : [])];
  return [
    "connect",
    "chunk", // of the role
    ...(logprobs ? ["logprobs.content.delta"] : []),
    ...Array.from({ length: pieces }, () => piece).flat(),
    "chunk",
    "content.done",
    ...(logprobs ? ["logprobs.content.done"] : []),
    "chunk", // of usage
    "chatCompletion",
    "message",
    ...["finalChatCompletion", "finalMessage", "finalContent", "totalUsage"],
    "end",
  ];
}

export const STREAM_HELPER_CHECKS: readonly Check<ClientWay>[] = [
  ...[false, true].map(
    (logprobs): Check<ClientWay> => ({
      claim: `.stream() tells every event in its order, and ends in the plain answer, ${logprobs ? "with" : "without"} logprobs`,
      async run(trial) {
        const fields: Fields = logprobs ? { logprobs: true, top_logprobs: 2 } : {};
        const plain = await trial.answer(fields);
        const { content } = plain.choices[0]!.message;
        const chunks: ChatCompletionChunk[] = [];
        const runner = start(trial, { ...fields, stream_options: { include_usage: true } });
        const { told, last } = record(runner);
        runner.on("chunk", (chunk) => void chunks.push(chunk as ChatCompletionChunk));
        await runner.done();

        const pieces = chunks.filter(({ choices }) => choices[0]?.delta.content).length;
        equal(told, order(pieces, logprobs), "the events");
        equal(last.get("content")?.[1], content, "the snapshot of the last `content`");
        equal(last.get("content.done"), [{ content, parsed: null }], "content.done");
        if (logprobs)
          equal(
            last.get("logprobs.content.done"),
            [{ content: plain.choices[0]!.logprobs!.content }],
            "logprobs.content.done",
          );
        equal(last.get("finalContent"), [content], "finalContent");
        equal(await runner.finalContent(), content, "finalContent()");
        equal((await runner.finalMessage()).content, content, "finalMessage()");
        const { total_tokens } = await runner.totalUsage();
        equal(total_tokens, plain.usage.total_tokens, "the total of tokens");
        const final = (await runner.finalChatCompletion()) as unknown as ChatCompletion;
        equal(choicesOf(final), choicesOf(plain), "the final choices");
        equal([runner.ended, runner.errored, runner.aborted], [true, false, false], "the runner's state");
      },
    }),
  ),
  {
    claim: ".stream() keeps several choices apart",
    async run(trial) {
      const fields: Fields = { n: 3, temperature: 1, seed: 3, logprobs: true };
      const plain = await trial.answer(fields);
      const final = (await start(trial, fields).finalChatCompletion()) as unknown as ChatCompletion;
      equal(choicesOf(final), choicesOf(plain), "the final choices");
    },
  },
  {
    claim: ".stream() can be read chunk by chunk, and its toReadableStream() by another",
    async run(trial) {
      const plain = await trial.answer();
      let text = "";
      for await (const { choices } of start(trial)) text += choices[0]?.delta.content ?? "";
      equal(text, plain.choices[0]!.message.content, "the text of the chunks");
      const lines = (await new Response(start(trial).toReadableStream()).text()).trimEnd().split("\n");
      const chunks: ChatCompletionChunk[] = lines.map((line) => JSON.parse(line));
      equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""), text, "the text of the lines");
    },
  },
  {
    claim: ".stream().abort() tells of it, ends the work, and rejects with APIUserAbortError",
    async run(trial) {
      const end = await trial.endOf(async () => {
        const runner = start(trial, ENDLESS);
        const { told } = record(runner);
        runner.once("content", () => runner.abort());
        const error = await rejection(runner.finalContent());
        claim(trial.way.isAbort(error), `not an abort: ${error}`);
        equal(told.slice(-2), ["abort", "end"], "the last events");
        equal([runner.ended, runner.aborted], [true, true], "the runner's state");
      });
      equal(end, "aborted", "the request's end");
    },
  },
  {
    claim: ".stream() of a refused request tells of the error, and rejects with it",
    async run(trial) {
      const { way } = trial;
      const runner = start(trial, { temperature: 3 });
      const { told } = record(runner);
      const error = await rejection(runner.done());
      claim(error instanceof way.package.BadRequestError, `${error} is no BadRequestError`);
      equal([error["param"], told], ["temperature", ["error", "end"]], "param and events");
    },
  },
];

function choicesOf({ choices }: ChatCompletion) {
  return choices.map(({ index, message, logprobs, finish_reason }) => [
    index,
    message.role,
    message.content,
    logprobs,
    finish_reason,
  ]);
}
