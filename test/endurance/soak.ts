// Hours of an engine's life in minutes: calls of every kind at once, in rounds. After each round nothing may be left of it: every
// call has ended once and as it should, GPU memory is what it was after loading, and the heap does not grow.

import type { ChatCompletion, ChatCompletionChunk } from "../../src/api/types.ts";
import { isEngineError } from "../../src/base/errors.ts";
import { nextTask } from "../../src/base/event-loop.ts";
import { type Engine, openEngine } from "../../src/engine/engine.ts";
import { gpuHost } from "../../src/engine/gpu-host.ts";
import type { OpenModel } from "../../src/engine/model-opener.ts";
import type { RuntimeHost } from "../../src/engine/runtime-host.ts";
import type { Device } from "../../src/gpu/device.ts";
import { planMemory } from "../../src/runtime/gpu-memory.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { collectUntil } from "../base/garbage.ts";
import { growthPerThousand, type HeapSample } from "./heap-growth.ts";
import { CONTEXT_LENGTH, type PlannedCall, plannedCall } from "./soak-plan.ts";

export interface SoakOptions {
  readonly gpu: GPU;
  readonly openModel: OpenModel;
  readonly seed: number;
  /** Ends after the round in which this is over. */
  readonly durationMs: number;
  /** A call that takes longer is hung. */
  readonly patienceMs: number;
  /** The device is lost once in so many rounds; default: never. */
  readonly lossEvery?: number;
  readonly onRound?: (soFar: SoakReport) => void;
}

export interface SoakReport {
  readonly calls: number;
  readonly rounds: number;
  /** How many ended how: by the kind that was planned, or a code. */
  readonly ends: ReadonlyMap<string, number>;
  /** Each names the call, so that it can be made again. */
  readonly failures: readonly string[];
  readonly ledgerBytes: number;
  readonly samples: readonly HeapSample[];
  /** MB per 1,000 calls; NaN before there are two samples. */
  readonly heapGrowth: number;
}

const CALLS_A_ROUND = 50;
const CALLS_AT_ONCE = 8;
/** Whole contexts that the pool has room for: fewer than calls at once. */
const CONTEXTS_IN_POOL = 3;
const PAGE_LENGTH = 64;
/** Rounds until code is compiled and pools are filled, whose heap says nothing. */
const WARM_UP_ROUNDS = 2;
const COLLECTIONS = 4;

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { seed, durationMs, patienceMs, lossEvery, onRound } = options;
  const watched = watchedHost(options.gpu);
  const statsOf = new Map<string, number>();
  const engine = await openEngine({
    id: "model",
    openModel: options.openModel,
    openHost: watched.open,
    onStats: ({ id }) => statsOf.set(id, (statsOf.get(id) ?? 0) + 1),
  });
  const ledgerBytes = watched.heldBytes();
  const player = createPlayer(engine, patienceMs);
  const samples: HeapSample[] = [];
  const start = performance.now();
  let rounds = 0;
  let begun = 0;
  const report = (): SoakReport => ({
    calls: begun,
    rounds,
    ends: player.ends,
    failures: player.failures,
    ledgerBytes,
    samples,
    heapGrowth: growthPerThousand(samples),
  });

  while (performance.now() - start < durationMs && player.failures.length === 0) {
    const last = begun + CALLS_A_ROUND;
    const worker = async () => {
      while (begun < last && player.failures.length === 0) await player.play(plannedCall(seed, begun++));
    };
    const working = Promise.all(Array.from({ length: CALLS_AT_ONCE }, worker));
    if (lossEvery !== undefined && rounds % lossEvery === lossEvery - 1) watched.lose();
    await working;
    rounds++;
    await nextTask(); // figures come in a task of their own
    const place = `after round ${rounds} of seed ${seed}`;
    if (player.failures.length === 0) {
      const held = watched.heldBytes();
      if (held !== ledgerBytes)
        player.fail(`${place}, ${held} bytes of GPU memory are held, and ${ledgerBytes} were after loading`);
      if (watched.openSequences() > 0) player.fail(`${place}, ${watched.openSequences()} sequences are open`);
      const repeated = [...statsOf.values()].filter((count) => count > 1).length;
      if (repeated > 0 || statsOf.size !== player.accepted)
        player.fail(
          `${place}, ${player.accepted} calls were made and ${statsOf.size} have figures, ${repeated} more than once`,
        );
    }
    statsOf.clear();
    player.accepted = 0;
    let collections = 0;
    await collectUntil(() => collections++ === COLLECTIONS);
    if (rounds > WARM_UP_ROUNDS) samples.push({ calls: begun, bytes: process.memoryUsage().heapUsed });
    onRound?.(report());
  }
  if (player.failures.length === 0) await engine.dispose(); // it may never end with a call that hangs
  return report();
}

/** The GPU's host, with a pool that is too small, and a count of what is open on it. */
function watchedHost(gpu: GPU) {
  const devices: Device[] = [];
  const openGpu = gpuHost(gpu, { onDevice: (device) => devices.push(device) });
  let open = new Set<unknown>();
  const counted = (runtime: Runtime): Runtime => {
    const own = new Set<unknown>();
    open = own; // what an earlier runtime had open went with it
    return {
      ...runtime,
      open() {
        const sequence = runtime.open();
        own.add(sequence);
        return sequence;
      },
      async match(ids, search) {
        const found = await runtime.match(ids, search);
        own.add(found.sequence);
        return found;
      },
      async fork(sequence) {
        const forked = await runtime.fork(sequence);
        own.add(forked);
        return forked;
      },
      free(sequence) {
        own.delete(sequence);
        runtime.free(sequence);
      },
    };
  };
  return {
    async open(): Promise<RuntimeHost> {
      const host = await openGpu();
      const device = devices.at(-1)!;
      return {
        ...host,
        plan(spec, wish) {
          const whole = planMemory(device, spec, { contextLength: CONTEXT_LENGTH });
          const pages = (CONTEXTS_IN_POOL * CONTEXT_LENGTH) / PAGE_LENGTH;
          const scarce = whole.bytes - (whole.kv.pageCount - pages) * whole.kv.pageBytes;
          const availableBytes = Math.min(wish.availableBytes, scarce);
          const { bytes, create } = host.plan(spec, { ...wish, contextLength: CONTEXT_LENGTH, availableBytes });
          return { bytes, create: async (load) => counted(await create(load)) };
        },
      };
    },
    /** Of all devices: those that were lost hold nothing. */
    heldBytes: () => devices.reduce((sum, { buffers }) => sum + buffers.heldBytes, 0),
    openSequences: () => open.size,
    lose: () => devices.at(-1)!.gpu.destroy(),
  };
}

function createPlayer(engine: Engine, patienceMs: number) {
  const ends = new Map<string, number>();
  const failures: string[] = [];
  let canary: string | undefined;

  const player = {
    ends,
    failures,
    /** Calls that passed their checks. */
    accepted: 0,
    fail: (fault: string) => void failures.push(fault),
    /** Resolves when the call has ended, or is given up as hung. */
    async play(call: PlannedCall): Promise<void> {
      const { ends: planned } = call;
      if (planned.kind !== "refused") player.accepted++;
      const name = `call ${call.index} (${JSON.stringify(call)})`;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const hung = new Promise<"hung">((resolve) => {
        timer = setTimeout(() => resolve("hung"), patienceMs);
      });
      const end = await Promise.race([endOf(call), hung]);
      clearTimeout(timer);
      ends.set(end, (ends.get(end) ?? 0) + 1);
      if (end === "hung") player.fail(`${name} has not ended after ${patienceMs / 1000} s`);
      else if (!expectedEnds(call).includes(end)) player.fail(`${name} ended as ${end}`);
    },
  };

  async function endOf({ params, stream, ends: planned }: PlannedCall): Promise<string> {
    const controller = new AbortController();
    const timer = planned.kind === "abort" ? setTimeout(() => controller.abort(), planned.afterMs) : undefined;
    try {
      const options = { signal: controller.signal };
      const create = engine.chat.completions.create as (params: unknown, options: unknown) => Promise<unknown>;
      if (!stream) return settled(planned.kind, textOf((await create(params, options)) as ChatCompletion));
      const chunks = (await create({ ...params, stream: true }, options)) as AsyncIterable<ChatCompletionChunk>;
      return settled(planned.kind, await read(chunks, planned));
    } catch (error) {
      return isEngineError(error)
        ? error.code
        : `an error of another kind: ${error instanceof Error ? error.stack : error}`;
    } finally {
      clearTimeout(timer);
    }
  }

  function settled(kind: string, texts: readonly string[]): string {
    if (kind !== "canary") return kind === "abort" ? "whole" : kind;
    const text = JSON.stringify(texts);
    canary ??= text;
    return text === canary ? kind : `another answer than before: ${text} in place of ${canary}`;
  }

  return player;
}

function expectedEnds({ ends }: PlannedCall): readonly string[] {
  if (ends.kind === "refused") return [ends.code];
  return ends.kind === "abort" ? ["aborted", "whole"] : [ends.kind];
}

/** The choices' texts. A stream that has ended stays so. */
async function read(stream: AsyncIterable<ChatCompletionChunk>, planned: PlannedCall["ends"]): Promise<string[]> {
  const texts: string[] = [];
  let chunks = 0;
  if (planned.kind === "slow") await pause(planned.firstPauseMs);
  const iterator = stream[Symbol.asyncIterator]();
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    for (const { index, delta } of next.value.choices) texts[index] = (texts[index] ?? "") + (delta.content ?? "");
    chunks++;
    if (planned.kind === "leave" && chunks >= planned.afterChunks) await iterator.return?.();
    if (planned.kind === "slow" && planned.pauseMs > 0) await pause(planned.pauseMs);
  }
  const after = await iterator.next();
  if (!after.done) throw new Error("a chunk came after the end");
  return texts;
}

function textOf({ choices }: ChatCompletion): string[] {
  return choices.map(({ message }) => message.content ?? "");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
