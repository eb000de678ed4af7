// Of every way that requests go: what the `openai` package's own client makes of responses. An engine that is called directly
// has none of this: no headers, hence no ids of requests; no retries; no classes of errors but its own.
import type { ChatCompletion } from "../../../src/api/types.ts";
import { claim, equal, rejection } from "./claims.ts";
import { type Check, ENDLESS, LONG, type Trial } from "./trial.ts";
import type { ClientWay } from "./way.ts";

type Params = Parameters<ReturnType<ClientWay["clientOf"]>["chat"]["completions"]["create"]>[0];
type PlainParams = Params & { stream?: false };
type StreamParams = Params & { stream: true };

const plainParams = ({ ask }: Trial<ClientWay>, fields = {}) => ask(fields) as unknown as PlainParams;
const streamParams = ({ ask }: Trial<ClientWay>, fields = {}) =>
  ask({ ...fields, stream: true }) as unknown as StreamParams;

const responding: Check<ClientWay>[] = [
  {
    claim: "each response has an id of its own, which answers, .withResponse() and errors carry",
    async run(trial) {
      const { completions } = trial.way.clientOf().chat;
      const plain = await completions.create(plainParams(trial)).withResponse();
      const streamed = await completions.create(streamParams(trial)).withResponse();
      for await (const _ of streamed.data);
      const error = await rejection(completions.create(plainParams(trial, { temperature: 3 })));
      const ids = [plain.request_id, streamed.request_id, error["requestID"]] as string[];
      for (const id of ids) claim(/^req_\w+$/.test(id), `the request's id is ${id}`);
      equal(new Set(ids).size, 3, "ids that differ");
      const { _request_id } = plain.data as { _request_id?: string };
      equal(_request_id, plain.response.headers.get("x-request-id"), "_request_id");
      equal(Object.keys(plain.data).includes("_request_id"), false, "_request_id among the answer's keys");
    },
  },
  {
    claim: ".asResponse() of a plain answer is JSON",
    async run(trial) {
      const response = await trial.way.clientOf().chat.completions.create(plainParams(trial)).asResponse();
      equal([response.status, response.headers.get("content-type")], [200, "application/json"], "the head");
      const answer = trial.see("CreateChatCompletionResponse", (await response.json()) as ChatCompletion);
      equal(answer.object, "chat.completion", "object");
    },
  },
  {
    claim: ".asResponse() of a stream is one event of one line for each chunk, then [DONE]",
    async run(trial) {
      const response = await trial.way.clientOf().chat.completions.create(streamParams(trial)).asResponse();
      equal(response.status, 200, "status");
      claim(/^text\/event-stream\b/.test(response.headers.get("content-type") ?? ""), "it is not an event stream");
      const events = (await response.text()).split("\n\n");
      equal([events.pop(), events.pop()], ["", "data: [DONE]"], "the end");
      for (const event of events) {
        claim(/^data: \{.*\}$/.test(event), `an event is ${event}`);
        trial.see("CreateChatCompletionStreamResponse", JSON.parse(event.slice("data: ".length)));
      }
    },
  },
  {
    claim: "a response whose body is cancelled unread ends the work behind it",
    trap: 30,
    async run(trial) {
      const end = await trial.endOf(async () => {
        const { completions } = trial.way.clientOf().chat;
        const response = await completions.create(streamParams(trial, ENDLESS)).asResponse();
        await response.body!.cancel();
      });
      equal(end, "aborted", "the request's end");
    },
  },
  {
    claim: "both halves of a stream's tee() add up to the same",
    async run(trial) {
      const stream = await trial.way.clientOf().chat.completions.create(streamParams(trial));
      const texts = await Promise.all(
        stream.tee().map(async (half) => {
          let text = "";
          for await (const { choices } of half) text += choices[0]?.delta.content ?? "";
          return text;
        }),
      );
      claim(texts[0]!.length > 0, "there was no text");
      equal(texts[1], texts[0], "the second half");
    },
  },
];

type ErrorClass = abstract new (...parts: never[]) => Error;

const failing: Check<ClientWay>[] = [
  {
    claim: "400 is a BadRequestError, 404 a NotFoundError, 405 an APIError, and none of them is tried again",
    trap: 29,
    async run(trial) {
      const { way } = trial;
      const { BadRequestError, NotFoundError, APIError } = way.package;
      const client = way.clientOf();
      const calls: [() => PromiseLike<unknown>, ErrorClass, number, string][] = [
        [() => client.chat.completions.create(plainParams(trial, { n: 0 })), BadRequestError, 400, "integer_below_min_value"],
        [() => client.chat.completions.create(streamParams(trial, { n: 0 })), BadRequestError, 400, "integer_below_min_value"],
        [() => client.chat.completions.create(plainParams(trial, { model: "a/b" })), NotFoundError, 404, "model_not_found"],
        [() => client.models.retrieve("a/b c"), NotFoundError, 404, "model_not_found"],
        [() => client.completions.create({ model: way.model, prompt: "Hi" }), NotFoundError, 404, "unknown_url"],
        [() => client.models.delete(way.model), APIError, 405, "method_not_supported"],
      ]; // biome-ignore format: a table
      for (const [call, errorClass, status, code] of calls) {
        let error: Record<string, unknown> = {};
        await trial.endOf(async () => {
          error = await rejection(call());
        });
        claim(error instanceof errorClass, `${error} is no ${status} of the package's`);
        equal([error["status"], error["code"]], [status, code], "status and code");
        claim(String(error["message"]).startsWith(`${status} `), `the message is ${error["message"]}`);
        trial.see("ErrorResponse", { error: error["error"] });
      }
    },
  },
  {
    claim: "a body that is not JSON, and a content type that says so, are refused in OpenAI's shape",
    trap: 23,
    async run(trial) {
      const { baseURL } = trial.way.clientOf();
      const json = { "content-type": "application/json" };
      const requests: RequestInit[] = [
        { headers: json, body: '{ "model": ' },
        { headers: json, body: "[".repeat(10_000) },
        { headers: { "content-type": "text/plain" }, body: "{}" },
      ];
      for (const request of requests) {
        const response = await trial.way.fetch(`${baseURL}/chat/completions`, { method: "POST", ...request });
        equal([response.status, response.headers.get("content-type")], [400, "application/json"], "the head");
        trial.see("ErrorResponse", await response.json());
      }
    },
  },
  {
    claim:
      "a client's timeout is an APIConnectionTimeoutError where there are no retries, and ends the work as a signal does",
    trap: 34,
    async run(trial) {
      const { way } = trial;
      const client = way.clientOf({ timeout: TIMEOUT_MS, maxRetries: 0 });
      const end = await trial.endOf(async () => {
        const error = await rejection(client.chat.completions.create(plainParams(trial, LONG)));
        claim(error instanceof way.package.APIConnectionTimeoutError, `${error} is no timeout`);
      });
      claim(way.givenUp.includes(end), `the request ended as ${end}`);
    },
  },
];

/** Long enough for a request to arrive, and shorter than an endless answer takes. */
const TIMEOUT_MS = 200;

const helping: Check<ClientWay>[] = [
  {
    claim: "models.list() is one page, and iterates as pages do",
    async run({ way, see }) {
      const client = way.clientOf();
      const page = await client.models.list();
      equal([page.hasNextPage(), page.data.length], [false, 1], "the page");
      const ids: string[] = [];
      for await (const model of client.models.list()) ids.push(see("Model", model).id);
      for await (const { data } of (await client.models.list()).iterPages()) ids.push(...data.map(({ id }) => id));
      equal(ids, [way.model, way.model], "the ids");
    },
  },
  {
    claim: ".parse() takes an answer that ended by itself, and throws on one that was cut",
    async run(trial) {
      const { completions } = trial.way.clientOf().chat;
      const whole = (await trial.answer()).choices[0]!.message.content!;
      const stop = whole.slice(4);
      const cut = whole.slice(0, whole.indexOf(stop));
      const parsed = await completions.parse(plainParams(trial, { stop, n: 2 }));
      trial.see("CreateChatCompletionResponse", JSON.parse(JSON.stringify(parsed, withoutParsed)));
      equal(
        parsed.choices.map(({ message: { content, parsed } }) => [content, parsed]),
        [
          [cut, null],
          [cut, null],
        ],
        "the choices",
      );
      const error = await rejection(completions.parse(plainParams(trial)));
      claim(error instanceof trial.way.package.OpenAIError, `${error} is not the package's`);
      claim(/length limit was reached/.test(String(error)), `it is ${error}`);
    },
  },
  // What the issues about tools and JSON will make work.
  {
    claim: ".parse() with a schema and runTools() are refused by name, and not tried again",
    async run(trial) {
      const { way } = trial;
      const { completions } = way.clientOf().chat;
      const schema = { name: "s", strict: true, schema: { type: "object" } };
      const tool = {
        function: () => "",
        name: "f",
        parameters: { type: "object" },
        parse: JSON.parse,
        description: "",
      };
      const calls: [string, () => PromiseLike<unknown>][] = [
        ["response_format", () => completions.parse(plainParams(trial, { response_format: { type: "json_schema", json_schema: schema } }))],
        ["tools", () => completions.runTools(plainParams(trial, { tools: [{ type: "function", function: tool }] }) as never).done()],
        ["tools", () => completions.runTools(streamParams(trial, { tools: [{ type: "function", function: tool }] }) as never).done()],
      ]; // biome-ignore format: a table
      for (const [param, call] of calls) {
        let error: Record<string, unknown> = {};
        await trial.endOf(async () => {
          error = await rejection(call());
        });
        claim(error instanceof way.package.BadRequestError, `${error} is no BadRequestError`);
        equal([error["param"], error["code"]], [param, "unsupported_parameter"], "param and code");
      }
    },
  },
];

function withoutParsed(key: string, value: unknown): unknown {
  return key === "parsed" ? undefined : value;
}

export const CLIENT_CHECKS: readonly Check<ClientWay>[] = [...responding, ...failing, ...helping];
