// What the bench compares: something that loads the model once and then measures itself, round after round.
import { median } from "../../src/base/median.ts";

export interface RoundPlan {
  /** Prompt lengths in tokens. */
  readonly prefill: readonly number[];
  /** Tokens to generate, one at a time. */
  readonly decode: number;
}

export interface LoadFigures {
  readonly adapter: string;
  readonly features: readonly string[];
  readonly loadMs: number;
  /** Over the heap before loading; absent where it cannot be seen. */
  readonly peakHeapBytes?: number;
}

/** For each decoded token. */
export interface TokenCost {
  readonly dispatches: number;
  readonly passes: number;
  readonly submits: number;
  /** GPU buffers, bind groups, pipelines and layouts created. */
  readonly objects: number;
  /** JavaScript from the call until the commands are submitted. */
  readonly recordMs: number;
  /** JavaScript that picks a token from the logits. */
  readonly sampleMs: number;
}

export interface RoundFigures {
  readonly prefill: { tokens: number; perSecond: number }[];
  readonly decodePerSecond: number;
  /** Only of Ingle. */
  readonly perToken?: TokenCost;
}

export interface Contender {
  readonly name: string;
  open(): Promise<LoadFigures>;
  round(plan: RoundPlan): Promise<RoundFigures>;
  close(): Promise<void>;
}

/** The figures of one contender: the load, and each figure's median over the rounds. */
export interface Outcome {
  readonly name: string;
  readonly load: LoadFigures;
  readonly rounds: readonly RoundFigures[];
  readonly median: RoundFigures;
}

export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

/**
 * Opens all, then lets each measure once per round, so that what slows the machine for a while slows all alike.
 * A contender that fails is out, with the reason.
 */
export async function compare(
  contenders: readonly Contender[],
  rounds: number,
  plan: RoundPlan,
  say: (line: string) => void,
): Promise<{ outcomes: Outcome[]; skipped: Skipped[] }> {
  const skipped: Skipped[] = [];
  const running: { contender: Contender; load: LoadFigures; rounds: RoundFigures[] }[] = [];
  const drop = async (contender: Contender, error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    skipped.push({ name: contender.name, reason });
    say(`  out: ${reason}`);
    await contender.close();
  };
  try {
    for (const contender of contenders) {
      say(`loading: ${contender.name}`);
      await contender.open().then(
        (load) => running.push({ contender, load, rounds: [] }),
        (error) => drop(contender, error),
      );
    }
    for (let round = 1; round <= rounds; round++) {
      for (const entry of [...running]) {
        say(`round ${round} of ${rounds}: ${entry.contender.name}`);
        await entry.contender.round(plan).then(
          (figures) => entry.rounds.push(figures),
          async (error) => {
            running.splice(running.indexOf(entry), 1);
            await drop(entry.contender, error);
          },
        );
      }
    }
    const outcomes = running.map(({ contender, load, rounds: figures }) => ({
      name: contender.name,
      load,
      rounds: figures,
      median: medianFigures(figures),
    }));
    return { outcomes, skipped };
  } finally {
    for (const { contender } of running) await contender.close();
  }
}

export function medianFigures(rounds: readonly RoundFigures[]): RoundFigures {
  const first = rounds[0]!;
  const costs = rounds.flatMap(({ perToken }) => perToken ?? []);
  const cost = (name: keyof TokenCost) => median(costs.map((each) => each[name]));
  return {
    prefill: first.prefill.map(({ tokens }, index) => ({
      tokens,
      perSecond: median(rounds.map(({ prefill }) => prefill[index]!.perSecond)),
    })),
    decodePerSecond: median(rounds.map(({ decodePerSecond }) => decodePerSecond)),
    ...(costs.length > 0 && {
      perToken: {
        dispatches: cost("dispatches"),
        passes: cost("passes"),
        submits: cost("submits"),
        objects: cost("objects"),
        recordMs: cost("recordMs"),
        sampleMs: cost("sampleMs"),
      },
    }),
  };
}
