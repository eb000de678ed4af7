// What callers feel of an engine: the first token, several streams at once, a chat's second turn.
import type { ChatCompletionMessageParam } from "../../src/api/types.ts";
import { openEngine } from "../../src/engine/engine.ts";
import { modelAtHand } from "../../src/engine/model-opener.ts";
import type { RequestStats } from "../../src/engine/stats.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { ByteSource } from "../../src/storage/byte-source.ts";
import { editedStory, storyRequest } from "./edited-text.ts";

export interface RequestBench {
  /** Seconds from a call to its first token, after a message of so many tokens that the engine has not met before. */
  firstToken(tokens: number): Promise<number>;
  /** Tokens per second of so many streams together, from when all have begun until the first has ended. */
  streams(count: number, tokens: number): Promise<number>;
  /** Seconds to the first token of a chat's first answer, and of its second. */
  turns(tokens: number): Promise<{ first: number; second: number }>;
  /** Tokens per second of an answer of so many tokens, without the answer it is much like as its prediction and with it. */
  edit(tokens: number): Promise<{ plain: number; predicted: number }>;
  dispose(): Promise<void>;
}

const ANSWER_TOKENS = 16;

/** @param runtime the engine's from now on: its model is `source` */
export async function openRequestBench(runtime: Runtime, source: ByteSource): Promise<RequestBench> {
  const stats: RequestStats[] = [];
  const engine = await openEngine({
    openHost: async () => ({
      adapter: "",
      features: [],
      plan: () => ({ bytes: 0, create: async () => runtime }),
      dispose: () => {},
    }),
    openModel: modelAtHand({ files: [source] }),
    onStats: (figures) => stats.push(figures),
  });
  let asked = 0;
  let tokensPerWord = 1;
  /** Of so many tokens, the first unlike all before. */
  const newText = (tokens: number) => `${++asked}${words(Math.round(tokens / tokensPerWord))}`;

  const request = (messages: ChatCompletionMessageParam[], tokens: number) => ({
    model: engine.info.id,
    messages,
    max_tokens: tokens,
    temperature: 0,
    ignore_eos: true,
  });
  async function promptTokens(content: string): Promise<number> {
    const { usage } = await engine.chat.completions.create(request([{ role: "user", content }], 1));
    return usage!.prompt_tokens;
  }
  async function answer(messages: ChatCompletionMessageParam[], tokens: number) {
    const { choices } = await engine.chat.completions.create(request(messages, tokens));
    return { content: choices[0]!.message.content ?? "", seconds: stats.at(-1)!.firstTokenMs / 1000 };
  }

  const [some, more] = await Promise.all([1, 101].map((count) => promptTokens(words(count))));
  tokensPerWord = (more! - some!) / 100;
  return {
    async firstToken(tokens) {
      return (await answer([{ role: "user", content: newText(tokens) }], 1)).seconds;
    },
    async streams(count, tokens) {
      let begun = 0;
      let start = 0;
      let end = 0;
      let counted = 0;
      const read = async () => {
        const messages: ChatCompletionMessageParam[] = [{ role: "user", content: newText(8) }];
        const asking = { ...request(messages, tokens), stream: true as const, return_token_ids: true };
        let first = true;
        for await (const { choices } of await engine.chat.completions.create(asking)) {
          const ids = choices[0]?.token_ids?.length ?? 0;
          if (begun === count && end === 0) counted += ids;
          if (ids === 0 || !first) continue;
          first = false;
          if (++begun === count) start = performance.now();
        }
        end ||= performance.now();
      };
      await Promise.all(Array.from({ length: count }, read));
      return (counted * 1000) / (end - start);
    },
    async turns(tokens) {
      const messages: ChatCompletionMessageParam[] = [{ role: "user", content: newText(tokens) }];
      const first = await answer(messages, ANSWER_TOKENS);
      messages.push({ role: "assistant", content: first.content }, { role: "user", content: newText(ANSWER_TOKENS) });
      const second = await answer(messages, 1);
      return { first: first.seconds, second: second.seconds };
    },
    async edit(tokens) {
      const write = async (more: object) => {
        const { choices } = await engine.chat.completions.create({ ...storyRequest(engine.info.id, tokens), ...more });
        await Promise.resolve(); // figures come in a task of their own
        const { completionTokens, decodeMs } = stats.at(-1)!;
        return { text: choices[0]!.message.content ?? "", perSecond: ((completionTokens - 1) * 1000) / decodeMs };
      };
      const plain = await write({});
      const predicted = await write(editedStory(plain.text, tokens));
      if (predicted.text !== plain.text) throw new Error("a prediction has changed the answer");
      return { plain: plain.perSecond, predicted: predicted.perSecond };
    },
    dispose: () => engine.dispose(),
  };
}

/** So many common words. */
export function words(count: number): string {
  const common = [" time", " year", " people", " way", " day", " man", " world", " life", " hand", " part"];
  return Array.from({ length: count }, (_, index) => common[index % common.length]).join("");
}
