// What the bench compares: something that loads the model once and then measures itself, round after round.
import { median } from "../../src/base/median.ts";

export interface RoundPlan {
  /** Prompt lengths in tokens: of each how fast it is taken in, and when the first token is there. */
  readonly prefill: readonly number[];
  /** Tokens that are generated one at a time, at each depth. */
  readonly decode: number;
  /** Tokens before them. */
  readonly depths: readonly number[];
  /** Requests that are answered at the same time, beside one alone. */
  readonly streams: number;
  /** Tokens of a chat's first message; an answer and a second message follow. */
  readonly turn: number;
  /** Tokens of an answer that is written with a prediction and without. */
  readonly edit: number;
}

export interface LoadFigures {
  readonly adapter: string;
  readonly features: readonly string[];
  readonly loadMs: number;
  /** Only of Ingle, in milliseconds: see LoadTimes. */
  readonly parts?: Readonly<Record<"readMs" | "repackMs" | "uploadMs" | "compileMs" | "readyMs", number>>;
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
  /** Of results, copied to the CPU. */
  readonly readBytes: number;
  /** JavaScript from the call until the commands are submitted. */
  readonly recordMs: number;
  /** JavaScript that picks a token from the logits. */
  readonly sampleMs: number;
}

/** What a round measures, by its row in the table. A contender leaves out what it has not. */
export const FIGURE = {
  prefill: (tokens: number) => `prefill ${tokens}, tok/s`,
  firstToken: (tokens: number) => `first token after ${tokens}, s`,
  decode: (depth: number) => `decode at ${depth}, tok/s`,
  streams: (count: number) => `${count} ${count === 1 ? "stream" : "streams"}, tok/s`,
  firstTurn: (tokens: number) => `first turn of ${tokens}, s`,
  secondTurn: "second turn, s",
  plain: (tokens: number) => `${tokens} tokens anew, tok/s`,
  predicted: (tokens: number) => `${tokens} tokens with a prediction, tok/s`,
} as const;

export interface RoundFigures {
  readonly figures: Readonly<Record<string, number>>;
  /** Only of Ingle. */
  readonly perToken?: TokenCost;
}

/** What a rival measures of itself: rates per second and times in seconds, by the plan's numbers. */
export interface RivalRound {
  readonly prefill: Readonly<Record<number, number>>;
  readonly firstToken: Readonly<Record<number, number>>;
  readonly decode: Readonly<Record<number, number>>;
}

export function rivalFigures({ prefill, firstToken, decode }: RivalRound): RoundFigures {
  const named = (name: (number: number) => string, values: Readonly<Record<number, number>>) =>
    Object.entries(values).map(([number, value]) => [name(Number(number)), value]);
  return {
    figures: Object.fromEntries([
      ...named(FIGURE.prefill, prefill),
      ...named(FIGURE.firstToken, firstToken),
      ...named(FIGURE.decode, decode),
    ]),
  };
}

export interface Contender {
  readonly name: string;
  open(plan: RoundPlan): Promise<LoadFigures>;
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
      await contender.open(plan).then(
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
  const costs = rounds.flatMap(({ perToken }) => perToken ?? []);
  return {
    figures: medians(rounds.map(({ figures }) => figures)),
    ...(costs.length > 0 && { perToken: medians(costs) as unknown as TokenCost }),
  };
}

function medians(rounds: readonly object[]): Record<string, number> {
  const all = rounds as readonly Readonly<Record<string, number>>[];
  return Object.fromEntries(Object.keys(all[0]!).map((name) => [name, median(all.map((each) => each[name]!))]));
}
