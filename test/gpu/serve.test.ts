// `npm run serve` as a process of its own, on a real adapter with a tiny model, under the conformance suite; then Ctrl-C.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { OpenAI } from "openai";
import { describe, expect, test } from "vitest";
import { listCpuDrivers } from "../../scripts/dawn.ts";
import { PROJECT_ROOT } from "../../scripts/default-model.ts";
import { endOfLine } from "../conformance/openai/access-lines.ts";
import { CHECKS_OF_CLIENTS } from "../conformance/openai/checks.ts";
import { until } from "../conformance/openai/claims.ts";
import { testWay } from "../conformance/openai/test-way.ts";
import { clientWay } from "../conformance/openai/way.ts";
import { endlessModel } from "../fixtures/endless-model.ts";

const driver = listCpuDrivers().find(({ manifest }) => manifest !== undefined);

async function startServe() {
  const folder = mkdtempSync(join(tmpdir(), "ingle-serve-"));
  const path = join(folder, "tiny.gguf");
  writeFileSync(path, endlessModel());
  const args = ["serve", "--model", `tiny=${path}`, "--port", "0", "--adapter", driver!.name];
  const child = spawn(process.execPath, [join(PROJECT_ROOT, "scripts/run.mjs"), ...args], { cwd: PROJECT_ROOT });
  const exited = once(child, "exit");
  const lines: string[] = [];
  const ends: string[] = [];
  createInterface(child.stderr).on("line", (line) => {
    lines.push(line);
    if (/ (GET|POST|DELETE) \/v1\//.test(line)) ends.push(endOfLine(line));
  });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const baseURL = /http:\S+/.exec(line)![0];
  return {
    baseURL,
    lines,
    ends,
    async interrupt(): Promise<number> {
      child.kill("SIGINT");
      const [code] = await exited;
      rmSync(folder, { recursive: true });
      return code;
    },
  };
}

describe.skipIf(driver === undefined)("npm run serve", () => {
  async function open() {
    const { baseURL, lines, ends, interrupt } = await startServe();
    const close = async () => void (await interrupt());
    // Lines of the log come through a pipe, in the order in which requests have ended.
    const allTold = async () => {
      const last = (await fetch(`${baseURL}/models`)).headers.get("x-request-id")!;
      await until(() => lines.some((line) => line.endsWith(last)));
    };
    return { way: clientWay(OpenAI, { baseURL }, { model: "tiny", ends, allTold }), close };
  }
  testWay("and the openai package", open, CHECKS_OF_CLIENTS);

  test("Ctrl-C ends a running answer with an error that says why, and the server in good order", async () => {
    const { baseURL, interrupt } = await startServe();
    const client = new OpenAI({ apiKey: "local", baseURL });
    const messages = [{ role: "user" as const, content: "Hi" }];
    const stream = await client.chat.completions.create({ model: "tiny", messages, stream: true });
    let exit: Promise<number> | undefined;
    const read = async () => {
      for await (const _ of stream) exit ??= interrupt();
    };
    await expect(read()).rejects.toMatchObject({ code: "disposed" });
    expect(await exit).toBe(0);
  });
});
