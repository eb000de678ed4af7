// F32: IEEE binary32.
import source from "./f32.wgsl?raw";
import { floatFormat } from "./floats.ts";
import group from "./group.wgsl?raw";

export const F32 = floatFormat({
  name: "F32",
  byteLength: 4,
  read: (view, at) => view.getFloat32(at, true),
  prelude: group + source,
});
