// When pages run out: who gives its own away, and who gets to try again once some are free. What a lane gives away it is fed
// again later, from the ids that it keeps.
import type { Runtime } from "../runtime/runtime.ts";
import { cutTo, type NextRow, type Track } from "./lane.ts";
import { byTier } from "./tiers.ts";

/**
 * Takes pages from whoever is readiest to yield, perhaps from a lane of the step itself. Lanes that have only what they share
 * are asked last.
 * @returns who yielded; undefined when nobody is left to: what is lacking will not come free
 */
export async function makeRoom(
  tracks: Iterable<Track>,
  rows: readonly NextRow[],
  runtime: Runtime,
): Promise<Track | undefined> {
  const inStep = (track: Track) => rows.some((row) => row.track === track);
  const uses = (track: Track) => !track.suspended && (track.held > 0 || inStep(track));
  // A prompt that is computed in parts keeps what it has while others step in between.
  const order = [...tracks].filter((track) => inStep(track) || !track.stepping).sort(byReadinessToYield);
  const victim = order.find((track) => uses(track) && (track.held > track.shared || track.parked || inStep(track)));
  if (victim && order.some((track) => track !== victim && uses(track))) {
    victim.suspended = true;
    await cutTo(victim, victim.parked ? 0 : victim.shared, runtime);
    return victim;
  }
  const sharer = order.find(({ suspended, held }) => suspended && held > 0);
  if (sharer) await cutTo(sharer, 0, runtime);
  return sharer;
}

/** Lets the earliest lane that gave its memory away try again. False when there is none. */
export function resumeOne(tracks: Iterable<Track>): boolean {
  const suspended = [...tracks].filter((track) => track.suspended).sort(byReadinessToYield);
  const earliest = suspended.at(-1);
  if (earliest) earliest.suspended = false;
  return earliest !== undefined;
}

/** Lanes whose readers are behind, then the lowest tier, then the latest. */
function byReadinessToYield(a: Track, b: Track): number {
  return Number(b.parked) - Number(a.parked) || byTier(b.tier, a.tier) || b.arrival - a.arrival || b.place - a.place;
}
