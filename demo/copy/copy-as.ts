// The request of an answer, to be sent again from elsewhere: by curl to `npm run serve`, or by the `openai` package in a page.
import type { RequestBody } from "../request.ts";
import { javaScriptLiteral, shellQuotedJson } from "./literals.ts";

/** Where `npm run serve` listens unless it is told otherwise. */
export const SERVER = "http://127.0.0.1:8080/v1";

/** A command for sh, bash, zsh or fish. */
export function asCurl(request: RequestBody): string {
  return [
    `curl --no-buffer ${SERVER}/chat/completions \\`,
    "  --header 'content-type: application/json' \\",
    `  --data ${shellQuotedJson(request)}`,
    "",
  ].join("\n");
}

/** A module. @param model what answered: a file's name is all that is known of it */
export function asSdkCode(request: RequestBody, model: URL | { readonly name: string }): string {
  const [source, note] =
    model instanceof URL
      ? [javaScriptLiteral(model.href), []]
      : ["file", [`// A File whose name is ${javaScriptLiteral(model.name)}, as an <input type="file"> gives it.`]];
  return `import { createEngine } from "ingle";
import OpenAI from "openai";

${[...note, `const engine = await createEngine({ model: ${source} });`].join("\n")}
const openai = new OpenAI({
  apiKey: "local",
  baseURL: "http://ingle/v1",
  fetch: engine.fetch,
  dangerouslyAllowBrowser: true,
});
const stream = await openai.chat.completions.create(${javaScriptLiteral(request)});
for await (const chunk of stream) {
  for (const { index, delta } of chunk.choices) console.log(index, delta.content ?? "");
}
`;
}
