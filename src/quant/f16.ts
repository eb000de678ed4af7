// F16: IEEE binary16.
import source from "./f16.wgsl?raw";
import { floatFormat } from "./floats.ts";
import { halfToNumber } from "./half.ts";
import { f32Prelude } from "./preludes.ts";

export const F16 = floatFormat({
  name: "F16",
  byteLength: 2,
  read: (view, at) => halfToNumber(view.getUint16(at, true)),
  prelude: f32Prelude(source),
});
