// The checks as tests: one for each claim, whose every JSON OpenAI's schema judges, and after which nothing is left running.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { schemaFaults } from "./judge.ts";
import { type Check, runCheck } from "./trial.ts";
import type { Way } from "./way.ts";

export interface OpenWay<W extends Way> {
  readonly way: W;
  /** Resolves when nothing runs, to the steps that ran though nobody waited for them. */
  idle?(): Promise<number>;
  close?(): Promise<void>;
}

export function testWay<W extends Way>(
  name: string,
  open: () => Promise<OpenWay<W>>,
  checks: readonly Check<W>[],
): void {
  describe(name, () => {
    let opened: OpenWay<W>;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close?.());
    for (const check of checks) {
      test(titleOf(check), async () => {
        expect(schemaFaults(await runCheck(check, opened.way))).toEqual([]);
        expect((await opened.idle?.()) ?? 0).toBe(0);
      });
    }
  });
}

function titleOf({ claim, trap }: Check<never>): string {
  return trap === undefined ? claim : `${claim} (trap ${trap})`;
}
