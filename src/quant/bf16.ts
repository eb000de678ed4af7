// BF16: the upper half of an IEEE binary32.
import source from "./bf16.wgsl?raw";
import { floatFormat } from "./floats.ts";
import { f32Prelude } from "./preludes.ts";

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

export const BF16 = floatFormat({
  name: "BF16",
  byteLength: 2,
  read(view, at) {
    bits[0] = view.getUint16(at, true) << 16;
    return float[0]!;
  },
  prelude: f32Prelude(source),
});
