// Q4_1: weight = d * q + m, q of 4 bits, 32 weights a block.

import { preludesOf } from "./preludes.ts";
import source from "./q4_1.wgsl?raw";
import { smallBlockFormat } from "./small-blocks.ts";

export const Q4_1 = smallBlockFormat({ name: "Q4_1", hasMinimum: true, hasFifthBit: false, ...preludesOf(source) });
