// Which lanes have the next step of their model, and with what.
import { invariant } from "../base/invariant.ts";
import type { Row, StepBatch } from "../runtime/runtime.ts";
import { type NextRow, nextRow, type Track } from "./lane.ts";
import { byTier } from "./tiers.ts";

/** Lanes that may have a step, in the order of their tiers, then of their waiting. `flex` may when no other can. */
export function readyTracks(tracks: Iterable<Track>): Track[] {
  const waiting = [...tracks].filter((track) => track.waiting && !track.suspended);
  const urgent = waiting.filter(({ tier }) => tier !== "flex");
  return (urgent.length > 0 ? urgent : waiting).sort(
    (a, b) => byTier(a.tier, b.tier) || a.waiting!.ticket - b.waiting!.ticket,
  );
}

/**
 * A segment of the first prompt, or a token of as many answers as fit: in turns where both wait, unless the prompt is of a
 * higher tier.
 * @param ready as `readyTracks` gives them
 * @param decodeRows tokens that a decode step takes
 */
export function nextRows(ready: readonly Track[], lastStage: StepBatch["stage"], decodeRows: number): NextRow[] {
  const decodes = ready.filter(({ held, prompt }) => held >= prompt.length);
  const [prefill] = ready
    .filter(({ held, prompt }) => held < prompt.length)
    .sort((a, b) => byTier(a.tier, b.tier) || a.arrival - b.arrival);
  const [decode] = decodes;
  if (prefill && (!decode || lastStage === "decode" || byTier(prefill.tier, decode.tier) < 0))
    return [nextRow(prefill, 0)];
  const rows: NextRow[] = [];
  let room = decodeRows;
  for (const track of decodes) {
    if (room === 0) break;
    const row = nextRow(track, room);
    rows.push(row);
    room -= row.ids.length;
  }
  return rows;
}

/** As the runtime takes it. */
export function rowOf({ track, ids, stage, last }: NextRow): Row {
  invariant(track.home, "a lane in a step has a sequence");
  const all = stage === "prefill" && track.onLogits !== undefined;
  const want = all || last ? ({ logits: true, at: all ? "all" : "last" } as const) : "none";
  return { sequence: track.home.sequence, input: { ids }, want };
}
