// How a desk's steps are carried out: computed, tried again where memory is short, and handed out to the lanes that wait.
import { abortedError, isEngineError } from "../base/errors.ts";
import { createEstimate } from "../base/estimate.ts";
import { invariant } from "../base/invariant.ts";
import type { Meanwhile, RowResult, StepBatch } from "../runtime/runtime.ts";
import { createFly } from "./in-flight.ts";
import type { NextRow, Track } from "./lane.ts";
import { makeRoom } from "./memory-pressure.ts";
import { rowOf, withoutDrafts } from "./next-rows.ts";
import type { RuntimeSlot } from "./runtime-slot.ts";
import type { Segments } from "./segments.ts";
import { type Stall, watchStall } from "./stall.ts";

export interface DeskSteps {
  /** Of the step that ended last. */
  readonly lastStage: StepBatch["stage"];
  /** How long a decode step takes, by the latest ones; 0 before the first. */
  readonly decodeMs: number;
  /**
   * Computes a step of these rows. Never rejects: what fails are their lanes.
   * @param between who gets steps between the parts of a prompt
   * @param quiet given, more steps of the same lanes may follow while nobody else wants one
   */
  carryOut(rows: readonly NextRow[], between?: Meanwhile, quiet?: () => boolean): Promise<void>;
}

/** Of the latest decode step in what is taken for usual. */
const LATEST_WEIGHT = 0.25;

/** @param tracks all lanes of the desk: any of them may give its memory for a step */
export function createDeskSteps(
  slot: RuntimeSlot,
  tracks: ReadonlySet<Track>,
  segments: Segments,
  stepsInFlight: number,
  newTicket: () => number,
  onStall: (stall: Stall) => void,
): DeskSteps {
  let lastStage: StepBatch["stage"] = "decode";
  const decodeMs = createEstimate(LATEST_WEIGHT);
  const fly = createFly(slot, stepsInFlight, decodeMs, settle, onStall);

  /** Undefined when the runtime was lost. */
  async function compute(rows: readonly NextRow[], between?: Meanwhile): Promise<readonly RowResult[] | undefined> {
    const stage = rows[0]!.stage;
    const start = performance.now();
    const calledOff = watchStall(stage, onStall);
    try {
      // A lane's abort ends only a step that is for it alone.
      const signal = rows.length === 1 ? rows[0]!.track.signal : undefined;
      const result = await slot.call((runtime) => runtime.step({ stage, rows: rows.map(rowOf) }, signal, between));
      const ms = performance.now() - start;
      if (stage === "decode") decodeMs.saw(ms);
      else if (result) segments.took(rows[0]!.ids.length, ms);
      return result?.rows;
    } finally {
      lastStage = stage;
      calledOff();
    }
  }

  /** A step; what comes back is to be tried again, without the lane that gave its memory for it. */
  async function attempt(rows: readonly NextRow[], between?: Meanwhile): Promise<readonly NextRow[]> {
    const runtime = slot.current;
    try {
      const results = await compute(rows, between);
      // After a loss the lanes go on waiting, for the next runtime's step.
      if (!results || slot.current !== runtime) return [];
      rows.forEach((row, index) => {
        settle(row, results[index]!, row.ids.length + row.draft.length);
      });
      return [];
    } catch (error) {
      const short = isEngineError(error, "out_of_memory");
      const fewer = short && withoutDrafts(rows); // nobody gives memory away for a guess
      if (fewer) return fewer;
      const yielded = short ? await yieldFor(rows) : undefined;
      if (slot.current !== runtime) return [];
      // It may be resumed already, but what it was to be fed has changed.
      if (yielded) return rows.filter(({ track }) => track !== yielded);
      for (const { track } of rows) track.waiting?.reject(error);
      return [];
    }
  }

  /** Who gave memory away; nobody where none is left to give, or the runtime no longer works. */
  function yieldFor(rows: readonly NextRow[]): Promise<Track | undefined> {
    return slot.call((runtime) => makeRoom(tracks, rows, runtime)).catch(() => undefined);
  }

  /** @param computed ids of the row, with those of its draft */
  function settle({ track, last, draft }: NextRow, result: RowResult, computed: number): void {
    const { logits = [], tokens, fault } = result;
    const from = track.held;
    track.held += computed;
    const { waiting, signal, onLogits } = track;
    if (!waiting) {
      track.arrived.push(result); // it has ended, or will ask
      return;
    }
    if (signal.aborted) {
      waiting.reject(abortedError(signal));
      return;
    }
    if (from < track.prompt.length) onLogits?.(logits, from);
    waiting.ticket = newTicket();
    if (!last) return;
    track.onLogits = undefined; // a prompt that is fed again has been seen
    track.losses = 0;
    invariant(tokens || fault || logits.length > draft.length, "the runtime gave less than a row wanted");
    waiting.resolve(result, draft.length);
  }

  return {
    get lastStage() {
      return lastStage;
    },
    get decodeMs() {
      return decodeMs.value ?? 0;
    },
    async carryOut(rows, between, quiet) {
      const stepping = rows.map(({ track }) => track);
      for (const track of stepping) track.stepping = true;
      if (quiet && (await fly(rows, quiet))) lastStage = "decode";
      else for (let left = rows; left.length > 0; ) left = await attempt(left, between);
      for (const track of stepping) {
        track.stepping = false;
        // An abort was left to the end of the step, which a lane that gave way, or lost its runtime, has not seen.
        if (track.signal.aborted) track.interrupt?.();
      }
    },
  };
}
