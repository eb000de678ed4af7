// Draws what the bench measures: a row a figure, its median so far, and a bar beside the others of its unit.
import { type LoadFigures, medianFigures, type RoundFigures, type RoundPlan } from "../contender.ts";

const PLAN: RoundPlan = { prefill: [32, 512], decode: 32, depths: [1000], streams: 4, turn: 1000 };
const ROUNDS = 5;

export interface Measured {
  openIngle(plan: RoundPlan): Promise<LoadFigures>;
  ingleRound(plan: RoundPlan): Promise<RoundFigures>;
}

/** Has the page's button measure. */
export function drawBench({ openIngle, ingleRound }: Measured): void {
  const button = document.querySelector("button")!;
  const output = document.querySelector("output")!;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      output.value = "Loading the model";
      const load = await openIngle(PLAN);
      const rounds: RoundFigures[] = [];
      while (rounds.length < ROUNDS) {
        output.value = `Round ${rounds.length + 1} of ${ROUNDS}`;
        rounds.push(await ingleRound(PLAN));
        draw(load, rounds);
      }
      output.value = `Medians of ${ROUNDS} rounds`;
    } catch (error) {
      output.value = error instanceof Error ? error.message : String(error);
    }
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
