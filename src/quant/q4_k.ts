// Q4_K: weight = d * scale * q - dmin * minimum, q of 4 bits, a scale and a minimum for each 32 weights, 256 a block.
import { kBlockFormat } from "./k-blocks.ts";
import { preludesOf } from "./preludes.ts";
import source from "./q4_k.wgsl?raw";

export const Q4_K = kBlockFormat({ name: "Q4_K", hasFifthBit: false, ...preludesOf(source) });
