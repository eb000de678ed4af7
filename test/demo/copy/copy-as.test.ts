// Whatever a conversation says, what is copied sends exactly that: judged by real shells, and by running the code.
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { asCurl, asSdkCode, SERVER } from "../../../demo/copy/copy-as.ts";
import type { RequestBody } from "../../../demo/request.ts";

const TEXTS = [
  "It's \"quoted\" and `ticked` and ''twice'' \"'\"'\"",
  "line one\nline two\r\n\ttabbed\n",
  String.raw`back\slash \\ two \\\ three \n \' \" \u0041 ends in \ `.trim(),
  `$HOME \${HOME} $(id) !! !$ %PATH% ~ * ? [a] {b,c} # ; & | < > \\$x`,
  "EOF\nJSON\n'\n\"\n`",
  "emoji 😀 👨‍👩‍👧 🏴\u{e0067}\u{e0062}\u{e007f} and 漢字",
  "lone \ud83d high and \udc00 low",
  "\u0000\u0001\u0007\u001b[31m\u007f\u0085\u00a0\u00ad\u200b\u202eabc\u2028\u2029\u2066\ufeff",
  '"role": "system"\n  "model": 1,',
  `</script><!-- */ // \${\`x\`}`,
  "@file",
  "",
];

const requestWith = (text: string): RequestBody => ({
  model: "tiny",
  messages: [
    { role: "system", content: text },
    { role: "user", content: "hello" },
  ],
  stop: [text],
  logit_bias: { "7": -100 },
  seed: "9007199254740993",
  stream: true,
});

const SHELLS = ["sh", "bash", "dash", "zsh", "fish"].filter(
  (shell) => spawnSync(shell, ["-c", "exit 0"], { stdio: "ignore" }).status === 0,
);

describe.skipIf(SHELLS.length === 0).each(SHELLS)("curl, pasted into %s", (shell) => {
  test.each(TEXTS)("%j arrives as it was", (text) => {
    const request = requestWith(text);
    const script = asCurl(request).replace(/^curl /, 'printf "%s\\0" ');
    const { stdout, stderr } = spawnSync(shell, ["-c", script], { encoding: "utf8" });
    const [flag, url, option, header, data, body, rest] = stdout.split("\0");
    expect({ flag, url, option, header, data, rest, stderr }).toEqual({
      flag: "--no-buffer",
      url: `${SERVER}/chat/completions`,
      option: "--header",
      header: "content-type: application/json",
      data: "--data",
      rest: "",
      stderr: "",
    });
    expect(JSON.parse(body!)).toEqual(request);
  });
});

test("in the quotes of the command nothing means anything to a shell, fish's backslashes included", () => {
  for (const text of TEXTS) {
    const [, data] = /--data '(.*)'\n$/s.exec(asCurl(requestWith(text)))!;
    expect(data).not.toMatch(/'|\\\\/);
  }
});

/** Runs the copied module with its two packages in place of real ones; what it asked for. */
async function run(code: string): Promise<{ engine: unknown; client: unknown; request: unknown }> {
  const asked: { engine?: unknown; client?: unknown; request?: unknown } = {};
  const body = code.replace(/^import .*$/gm, "");
  const AsyncFunction = (async () => {}).constructor as new (
    ...parts: string[]
  ) => (...args: unknown[]) => Promise<void>;
  class OpenAI {
    constructor(options: unknown) {
      asked.client = options;
    }
    chat = {
      completions: {
        create: async (request: unknown) => {
          asked.request = request;
          return [{ choices: [{ index: 0, delta: { content: "hi" } }] }, { choices: [] }];
        },
      },
    };
  }
  const createEngine = async (options: unknown) => {
    asked.engine = options;
    return { fetch: "the engine's fetch" };
  };
  const said: unknown[] = [];
  const console = { log: (...words: unknown[]) => said.push(words) };
  await new AsyncFunction("OpenAI", "createEngine", "console", "file", body)(OpenAI, createEngine, console, "a file");
  expect(said).toEqual([[0, "hi"]]);
  return asked as { engine: unknown; client: unknown; request: unknown };
}

describe("SDK code, run", () => {
  test.each(TEXTS)("%j arrives as it was", async (text) => {
    const request = requestWith(text);
    const asked = await run(asSdkCode(request, new URL("http://127.0.0.1/a b'.gguf")));
    expect(asked.request).toEqual(request);
    expect(asked.engine).toEqual({ model: "http://127.0.0.1/a%20b'.gguf" });
    expect(asked.client).toMatchObject({ baseURL: "http://ingle/v1", fetch: "the engine's fetch" });
  });

  test.each(["plain.gguf", "two\nlines.gguf", "a\u2028b*/.gguf"])(
    "a file called %j stays in its comment",
    async (name) => {
      expect((await run(asSdkCode(requestWith("x"), { name }))).engine).toEqual({ model: "a file" });
    },
  );

  test("is what one would write by hand", () => {
    expect(asSdkCode({ model: "tiny", logit_bias: { "7": 1 } }, new URL("http://127.0.0.1/tiny.gguf"))).toContain(
      'create({\n  model: "tiny",\n  logit_bias: {\n    "7": 1\n  }\n});\n',
    );
  });
});

test("nothing unseen is copied but line breaks and the joiners of emoji", () => {
  for (const text of TEXTS) {
    const copied = asCurl(requestWith(text)) + asSdkCode(requestWith(text), { name: text });
    expect(copied.match(/(?!\n|\u200c|\u200d)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu)).toBeNull();
  }
});
