// Where an arrow key leads among words that are set in lines.

interface Word {
  readonly offsetLeft: number;
  readonly offsetTop: number;
}

/** Index of the word to go to; undefined for a key that leads nowhere. Up and Down go to the nearest word of the next line. */
export function stepFrom(words: readonly Word[], index: number, key: string): number | undefined {
  const stepped = destination(words, index, key);
  return stepped === undefined || stepped === index || words[stepped] === undefined ? undefined : stepped;
}

function destination(words: readonly Word[], index: number, key: string): number | undefined {
  switch (key) {
    case "ArrowRight":
      return index + 1;
    case "ArrowLeft":
      return index - 1;
    case "Home":
      return 0;
    case "End":
      return words.length - 1;
    case "ArrowDown":
      return inNextLine(words, index, 1);
    case "ArrowUp":
      return inNextLine(words, index, -1);
    default:
      return undefined;
  }
}

function inNextLine(words: readonly Word[], index: number, direction: 1 | -1): number | undefined {
  const from = words[index]!;
  let line: number | undefined;
  let best: number | undefined;
  for (let at = index + direction; words[at] !== undefined; at += direction) {
    const word = words[at]!;
    if (word.offsetTop === from.offsetTop) continue;
    line ??= word.offsetTop;
    if (word.offsetTop !== line) break;
    if (best === undefined || distance(word, from) < distance(words[best]!, from)) best = at;
  }
  return best;
}

function distance(a: Word, b: Word): number {
  return Math.abs(a.offsetLeft - b.offsetLeft);
}
