// `npm run ask` as a shell sees it: what goes to stdout, what to stderr, and which exit code, with a model that never stops talking.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listCpuDrivers } from "../../scripts/dawn.ts";
import { PROJECT_ROOT } from "../../scripts/default-model.ts";
import { endlessModel } from "../fixtures/endless-model.ts";

const driver = listCpuDrivers().find(({ manifest }) => manifest !== undefined);

describe.skipIf(driver === undefined)("ask", () => {
  const folder = mkdtempSync(join(tmpdir(), "ingle-ask-"));
  const model = join(folder, "tiny.gguf");
  beforeAll(() => writeFileSync(model, endlessModel()));
  afterAll(() => rmSync(folder, { recursive: true }));

  function ask(args: string[], { stdin = "", onText = (_: ReturnType<typeof spawn>) => {} } = {}) {
    const command = [
      join(PROJECT_ROOT, "scripts/run.mjs"),
      "ask",
      "--model",
      model,
      "--adapter",
      driver!.name,
      ...args,
    ];
    const child = spawn(process.execPath, command, { cwd: PROJECT_ROOT });
    child.stdin.end(stdin);
    let out = "";
    let err = "";
    child.stdout.on("data", (bytes) => {
      if (out === "") onText(child);
      out += bytes;
    });
    child.stderr.on("data", (bytes) => {
      err += bytes;
    });
    return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
      child.on("close", (code) => resolve({ code, out, err })),
    );
  }

  test("--json prints the response object alone; the prompt may come from stdin; a seed repeats", async () => {
    const args = ["--json", "--max-tokens", "6", "--seed", "3", "--top-p", "0.9", "--system", "Be brief."];
    const [first, second] = [await ask(args, { stdin: "hello\n" }), await ask(["hello", ...args])];
    expect([first.code, second.code]).toEqual([0, 0]);
    const [one, two] = [JSON.parse(first.out), JSON.parse(second.out)];
    expect(one).toMatchObject({ object: "chat.completion", usage: { completion_tokens: 6 } });
    expect(two.choices).toEqual(one.choices);
    expect(first.err).toMatch(/tiny llama on .*; GPU features: /);
  });

  test("Ctrl-C in mid-answer ends with what a shell expects, the text so far, and no stack", async () => {
    const { code, out, err } = await ask(["hello"], { onText: (child) => void child.kill("SIGINT") });
    expect(code).toBe(130);
    expect(out.length).toBeGreaterThan(0);
    expect(err.trimEnd()).toMatch(/\nstopped$/);
    expect(err).not.toMatch(/^\s+at /m);
  });

  test("a reader that goes away ends it quietly", async () => {
    const { code, err } = await ask(["hello"], { onText: (child) => void child.stdout?.destroy() });
    expect(code).toBe(0);
    expect(err).not.toMatch(/EPIPE|^\s+at /m);
  });

  test.each([
    { wrong: ["hello", "--temperature", "9"], words: /^ask: Invalid 'temperature'.* <= 2, but got 9/m },
    { wrong: ["hello", "--seed", "x"], words: /^ask: --seed x is not a number$/m },
    { wrong: ["hello", "--model", "/no/such.gguf"], words: /^ask: there is no file \/no\/such\.gguf$/m },
    { wrong: [], words: /^ask: no prompt$/m },
  ])("$wrong is refused in words, with exit code 1", async ({ wrong, words }) => {
    const { code, out, err } = await ask(wrong);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(words);
    expect(err).not.toMatch(/^\s+at /m);
  });
});
