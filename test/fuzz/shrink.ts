// The least request that still fails: whatever can go is taken away, place by place.
import { copyOf, isContainer, placesIn, read, remove, write } from "./paths.ts";

/** Each costs a run of the request. */
const MOST_ATTEMPTS = 400;

export async function shrunk(body: unknown, fails: (smaller: unknown) => Promise<boolean>): Promise<unknown> {
  if (!isContainer(body)) return body;
  let least: object = body;
  let attempts = 0;
  for (let shrinks = true; shrinks; ) {
    shrinks = false;
    for (let index = 0; index < placesIn(least).length && attempts < MOST_ATTEMPTS; ) {
      const smaller = await firstThat(fails, candidates(least, index), () => attempts++);
      if (smaller) least = smaller;
      else index++;
      shrinks ||= smaller !== undefined;
    }
  }
  return least;
}

/** Without the place; or with half of its text. */
function* candidates(body: object, index: number): Generator<object> {
  const without = copyOf(body);
  remove(placesIn(without)[index]!);
  yield without;
  const shorter = copyOf(body);
  const { holder, key } = placesIn(shorter)[index]!;
  const value = read(holder, key);
  if (typeof value !== "string" || value.length < 2) return;
  write(holder, key, value.slice(0, value.length >> 1));
  yield shorter;
}

async function firstThat(
  fails: (smaller: unknown) => Promise<boolean>,
  smaller: Iterable<object>,
  onAttempt: () => void,
): Promise<object | undefined> {
  for (const candidate of smaller) {
    onAttempt();
    if (await fails(candidate)) return candidate;
  }
  return undefined;
}
