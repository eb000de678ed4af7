// Q5_0: weight = d * (q - 16), q of 5 bits, 32 weights a block.

import { preludesOf } from "./preludes.ts";
import source from "./q5_0.wgsl?raw";
import { smallBlockFormat } from "./small-blocks.ts";

export const Q5_0 = smallBlockFormat({ name: "Q5_0", hasMinimum: false, hasFifthBit: true, ...preludesOf(source) });
