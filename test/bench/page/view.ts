// Draws what the bench measures: a row a figure, its median so far, and a bar beside the others of its unit.
import { type LoadFigures, medianFigures, type RoundFigures, type RoundPlan } from "../contender.ts";

const PLANS: Readonly<Record<string, RoundPlan & { readonly rounds: number }>> = {
  full: { prefill: [32, 512], decode: 32, depths: [1000], streams: 4, turn: 1000, edit: 400, rounds: 5 },
  quick: { prefill: [32], decode: 8, depths: [], streams: 2, turn: 100, edit: 40, rounds: 1 },
};

export interface Measured {
  openIngle(plan: RoundPlan): Promise<LoadFigures>;
  ingleRound(plan: RoundPlan): Promise<RoundFigures>;
}

/** Has the page's buttons measure. A page measures once: its model is loaded for one plan. */
export function drawBench({ openIngle, ingleRound }: Measured): void {
  const buttons = [...document.querySelectorAll("button")];
  const output = document.querySelector("output")!;
  async function measure({ rounds: count, ...plan }: RoundPlan & { readonly rounds: number }): Promise<void> {
    output.value = "Loading the model";
    const load = await openIngle(plan);
    const rounds: RoundFigures[] = [];
    while (rounds.length < count) {
      output.value = `Round ${rounds.length + 1} of ${count}`;
      rounds.push(await ingleRound(plan));
      draw(load, rounds);
    }
    output.value = count === 1 ? "One round" : `Medians of ${count} rounds`;
  }
  for (const button of buttons)
    button.addEventListener("click", () => {
      for (const each of buttons) each.disabled = true;
      measure(PLANS[button.dataset["plan"]!]!).catch((error: unknown) => {
        output.value = error instanceof Error ? error.message : String(error);
      });
    });
}

function draw({ adapter, features, loadMs }: LoadFigures, rounds: readonly RoundFigures[]): void {
  const { figures, perToken } = medianFigures(rounds);
  const rows = Object.entries({ ...figures, "load, s": loadMs / 1000, ...perToken });
  const unitOf = (name: string) => name.split(", ").at(-1)!;
  const table = document.querySelector("table")!;
  table.createCaption().textContent = `${adapter} (${features.join(", ")})`;
  const body = document.createElement("tbody");
  for (const [name, value] of rows) {
    const row = body.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    row.insertCell().textContent = value.toFixed(2);
    const bar = document.createElement("meter");
    bar.max = Math.max(...rows.filter(([other]) => unitOf(other) === unitOf(name)).map(([, other]) => other), 1e-9);
    bar.value = value;
    row.insertCell().append(bar);
  }
  table.tBodies[0]?.remove();
  table.append(body);
}
