// Q5_K: weight = d * scale * q - dmin * minimum, q of 5 bits, a scale and a minimum for each 32 weights, 256 a block.
import { kBlockFormat } from "./k-blocks.ts";
import { preludesOf } from "./preludes.ts";
import source from "./q5_k.wgsl?raw";

export const Q5_K = kBlockFormat({ name: "Q5_K", hasFifthBit: true, ...preludesOf(source) });
