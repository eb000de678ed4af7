// Stop strings over token borders: finds the first one in a text that arrives in pieces, and holds back what could become one.

export interface StopMatcher {
  /**
   * Adds text. `text` is what can be released: all but the longest end that could be the start of a stop, or, once a stop
   * was found, what stands before it. After that nothing more is released.
   */
  push(text: string): { readonly text: string; readonly stopped: boolean };
  /** Releases what is held back: the text ended without a stop. */
  flush(): string;
}

/**
 * The stop that ends first wins, since generation ends there; of several that end there, the longest, which cuts the most.
 * Empty stops match nothing. Cost is linear in the text whatever it is (Aho, Corasick, CACM 18(6), 1975).
 */
export function createStopMatcher(stops: readonly string[]): StopMatcher {
  const root = buildAutomaton(stops);
  let state = root;
  let stopped = false;
  const held = createQueue();
  return {
    push(text) {
      if (stopped) return { text: "", stopped };
      for (let i = 0; i < text.length; i++) {
        state = follow(root, state, text[i]!);
        if (state.matched === 0) continue;
        stopped = true;
        held.add(text.slice(0, i + 1));
        const released = held.take(held.length() - state.matched);
        held.take(held.length());
        return { text: released, stopped };
      }
      held.add(text);
      return { text: held.take(held.length() - state.depth), stopped };
    },
    flush() {
      state = root;
      return held.take(held.length());
    },
  };
}

/** Text in, text out in the same order, at a cost that does not grow with what stays inside. */
function createQueue() {
  let pieces: string[] = [];
  let first = 0;
  let length = 0;
  return {
    length: (): number => length,
    add(text: string): void {
      pieces.push(text);
      length += text.length;
    },
    take(count: number): string {
      let taken = "";
      length -= count;
      for (let left = count; left > 0; ) {
        const piece = pieces[first]!;
        taken += piece.slice(0, left);
        if (piece.length <= left) first++;
        else pieces[first] = piece.slice(left);
        left -= Math.min(left, piece.length);
      }
      if (first > 1000 && first * 2 > pieces.length) {
        pieces = pieces.slice(first);
        first = 0;
      }
      return taken;
    },
  };
}

interface State {
  readonly next: Map<string, State>;
  /** Length of the text that leads here: the longest end that could start a stop. */
  readonly depth: number;
  /** The state of the longest proper end of that text that is one. */
  fail: State | undefined;
  /** Length of the longest stop that ends here; 0: none. */
  matched: number;
}

function buildAutomaton(stops: readonly string[]): State {
  const root: State = { next: new Map(), depth: 0, fail: undefined, matched: 0 };
  for (const stop of stops) {
    let state = root;
    for (const unit of stop.split("")) {
      let next = state.next.get(unit);
      if (next === undefined) {
        next = { next: new Map(), depth: state.depth + 1, fail: root, matched: 0 };
        state.next.set(unit, next);
      }
      state = next;
    }
    state.matched = state.depth;
  }
  const queue = [...root.next.values()];
  for (const state of queue) {
    for (const [unit, child] of state.next) {
      child.fail = follow(root, state.fail!, unit);
      child.matched = Math.max(child.matched, child.fail.matched);
      queue.push(child);
    }
  }
  return root;
}

function follow(root: State, from: State, unit: string): State {
  let state: State | undefined = from;
  while (state !== undefined) {
    const next = state.next.get(unit);
    if (next !== undefined) return next;
    state = state.fail;
  }
  return root;
}
