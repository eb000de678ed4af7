// A contender in a process of its own, asked over IPC: `{ id, command, plan }` -> `{ id, result }` or `{ id, error }`.
import { type ChildProcess, spawn } from "node:child_process";
import type { Contender, LoadFigures, RoundFigures, RoundPlan } from "./contender.ts";

export interface Command {
  readonly id: number;
  readonly command: "open" | "round";
  readonly plan: RoundPlan;
}
export type Answer = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string });

/**
 * @param args of Node
 * @param figures what the child's rounds come to
 */
export function childContender<Round>(
  name: string,
  args: readonly string[],
  cwd: string,
  figures: (round: Round) => RoundFigures,
): Contender {
  let child: ChildProcess | undefined;
  let nextId = 0;

  function ask(command: Omit<Command, "id">): Promise<unknown> {
    child ??= spawn(process.execPath, args, { cwd, stdio: ["ignore", "ignore", "pipe", "ipc"] });
    const asked = child;
    const id = nextId++;
    let errors = "";
    return new Promise((resolve, reject) => {
      const onErrors = (text: Buffer) => {
        errors = (errors + text).slice(-2_000);
      };
      const onExit = (code: number | null) =>
        finish(() => reject(new Error(errors.trim().split("\n").at(-1) || `its process ended with exit code ${code}`)));
      const onMessage = (answer: Answer) => {
        if (answer.id !== id) return;
        finish(() => ("error" in answer ? reject(new Error(answer.error)) : resolve(answer.result)));
      };
      const finish = (settle: () => void) => {
        asked.off("message", onMessage).off("exit", onExit);
        asked.stderr!.off("data", onErrors).resume();
        settle();
      };
      asked.on("message", onMessage).on("exit", onExit);
      asked.stderr!.on("data", onErrors);
      asked.send({ id, ...command });
    });
  }

  return {
    name,
    open: (plan) => ask({ command: "open", plan }) as Promise<LoadFigures>,
    round: async (plan) => figures((await ask({ command: "round", plan })) as Round),
    async close() {
      child?.kill();
      child = undefined;
    },
  };
}

/** The child's side: answers commands until the parent goes away. */
export function serveContender(contender: {
  open(plan: RoundPlan): Promise<LoadFigures>;
  round(plan: RoundPlan): Promise<RoundFigures>;
}): Promise<void> {
  process.on("message", async ({ id, command, plan }: Command) => {
    try {
      const result = command === "open" ? await contender.open(plan) : await contender.round(plan);
      process.send!({ id, result } satisfies Answer);
    } catch (error) {
      process.send!({ id, error: error instanceof Error ? error.message : String(error) } satisfies Answer);
    }
  });
  return new Promise((resolve) => process.on("disconnect", resolve));
}
