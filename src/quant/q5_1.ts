// Q5_1: weight = d * q + m, q of 5 bits, 32 weights a block.

import { preludesOf } from "./preludes.ts";
import source from "./q5_1.wgsl?raw";
import { smallBlockFormat } from "./small-blocks.ts";

export const Q5_1 = smallBlockFormat({ name: "Q5_1", hasMinimum: true, hasFifthBit: true, ...preludesOf(source) });
