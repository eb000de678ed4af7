// F32: IEEE binary32.
import source from "./f32.wgsl?raw";
import { floatFormat } from "./floats.ts";
import { f32Prelude } from "./preludes.ts";

export const F32 = floatFormat({
  name: "F32",
  byteLength: 4,
  read: (view, at) => view.getFloat32(at, true),
  prelude: f32Prelude(source),
});
