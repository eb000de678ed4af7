// Which lanes have the next step of their model, and with what.
import type { Tier } from "../api/request.ts";
import { invariant } from "../base/invariant.ts";
import type { Row, StepBatch, StepId } from "../runtime/runtime.ts";
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
 * higher tier. What room is left then is shared by the answers that have a draft.
 * @param ready as `readyTracks` gives them
 * @param room tokens that a step of each stage takes
 */
export function nextRows(
  ready: readonly Track[],
  lastStage: StepBatch["stage"],
  room: { readonly prefill: number; readonly decode: number },
): NextRow[] {
  const decodes = ready.filter(decoding);
  const [prefill] = ready
    .filter((track) => !decoding(track))
    .sort((a, b) => byTier(a.tier, b.tier) || a.arrival - b.arrival);
  const [decode] = decodes;
  if (prefill && (!decode || lastStage === "decode" || byTier(prefill.tier, decode.tier) < 0))
    return [nextRow(prefill, room.prefill)];
  return decodeRowsOf(decodes, room.decode);
}

/** Lanes that wait for a token and may have one while a prompt of `tier` is computed: those of no lower tier. */
export function decodingBeside(ready: readonly Track[], tier: Tier): Track[] {
  return ready.filter((track) => decoding(track) && byTier(track.tier, tier) <= 0);
}

function decoding({ held, prompt }: Track): boolean {
  return held >= prompt.length;
}

/** A token of as many as fit. */
export function decodeRowsOf(decodes: readonly Track[], decodeRows: number): NextRow[] {
  const rows: NextRow[] = [];
  let room = decodeRows;
  for (const track of decodes) {
    if (room === 0) break;
    const row = nextRow(track, room);
    rows.push(row);
    room -= row.ids.length;
  }
  return withDrafts(rows, room);
}

/**
 * Gives each row that can take its draft an equal part of the room. One that is fed several ids again can not: it would be
 * given the logits of all of them.
 */
function withDrafts(rows: readonly NextRow[], room: number): NextRow[] {
  const canDraft = ({ track, ids, last }: NextRow) => last && ids.length === 1 && track.draft.length > 0;
  let left = room;
  let takers = rows.filter(canDraft).length;
  return rows.map((row) => {
    if (!canDraft(row)) return row;
    const draft = row.track.draft.slice(0, Math.floor(left / takers--));
    left -= draft.length;
    return { ...row, draft };
  });
}

/** The same rows without the tokens that nobody has to have; undefined when there were none. */
export function withoutDrafts(rows: readonly NextRow[]): NextRow[] | undefined {
  if (rows.every(({ draft }) => draft.length === 0)) return undefined;
  return rows.map((row) => ({ ...row, draft: [] }));
}

/** As the runtime takes it. */
export function rowOf({ track, ids, stage, last, draft }: NextRow): Row {
  const { home, plan, prompt, decoded } = track;
  invariant(home, "a lane in a step has a sequence");
  const { sequence } = home;
  const input = { ids: draft.length > 0 ? [...Array.from(ids), ...draft] : ids };
  if (stage === "decode" && last && plan) {
    const want = draft.length > 0 ? "verify" : "sample";
    return { sequence, input, want, plan, history: { prompt, sampled: decoded } };
  }
  const all = (stage === "prefill" && track.onLogits !== undefined) || draft.length > 0;
  const want = all || last ? ({ logits: true, at: all ? "all" : "last" } as const) : "none";
  return { sequence, input, want };
}

/**
 * For a lane that waits, a row that follows the step `before`.
 * @param pending steps that are under way for it, that one included
 */
export function followingRow({ home, plan, prompt, decoded }: Track, before: StepId, pending: number): Row {
  const history = { prompt, sampled: { length: decoded.length + pending } };
  return { sequence: home!.sequence, input: { sampledBy: before }, want: "sample", plan: plan!, history };
}
