// What the blocks of 32 weights differ in when they are repacked.
import source from "./repack-blocks.wgsl?raw";

export interface BlockParts {
  /** Byte of a block at which its quants begin: scales lie before them, and then fifth bits where there are. */
  readonly quantsAt: number;
  readonly quantWords: number;
  readonly hasMinimum: boolean;
}

export function repackBlocks({ quantsAt, quantWords, hasMinimum }: BlockParts): string {
  return `const QUANTS_AT = ${quantsAt}u;
const QUANT_WORDS = ${quantWords}u;
const HAS_MINIMUM = ${hasMinimum};
${source}`;
}
