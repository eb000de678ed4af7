// Q4_0: weight = d * (q - 8), q of 4 bits, 32 weights a block.

import { preludesOf } from "./preludes.ts";
import source from "./q4_0.wgsl?raw";
import { smallBlockFormat } from "./small-blocks.ts";

export const Q4_0 = smallBlockFormat({ name: "Q4_0", hasMinimum: false, hasFifthBit: false, ...preludesOf(source) });
