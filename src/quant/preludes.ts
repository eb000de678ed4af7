// WGSL that decodes groups of weights, put together for each arithmetic that kernels may use.
import group from "./group.wgsl?raw";
import groupF16 from "./group-f16.wgsl?raw";
import groupF32 from "./group-f32.wgsl?raw";
import groupInt8 from "./group-int8.wgsl?raw";
import signedBytes from "./signed-bytes.wgsl?raw";

/** What kernels may multiply weights and x in, beside f32. */
export type CompactArithmetic = "f16" | "int8";

/** Of a format whose weights are bytes and scales. `decode`: what its own file defines, see group.wgsl. */
export interface Preludes {
  /** For sums in f32. */
  readonly prelude: string;
  readonly compactPreludes: Readonly<Record<CompactArithmetic, string>>;
}

export function f32Prelude(decode: string): string {
  return group + signedBytes + groupF32 + decode;
}

export function preludesOf(decode: string): Preludes {
  return {
    prelude: f32Prelude(decode),
    compactPreludes: { f16: group + groupF16 + decode, int8: group + groupInt8 + decode },
  };
}
