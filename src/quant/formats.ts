// Every weight format that Ingle can compute with.
import type { TensorFormat } from "../gguf/tensor-types.ts";
import { BF16 } from "./bf16.ts";
import { F16 } from "./f16.ts";
import { F32 } from "./f32.ts";
import type { QuantFormat } from "./format.ts";
import { Q4_0 } from "./q4_0.ts";
import { Q4_1 } from "./q4_1.ts";
import { Q4_K } from "./q4_k.ts";
import { Q5_0 } from "./q5_0.ts";
import { Q5_1 } from "./q5_1.ts";
import { Q5_K } from "./q5_k.ts";
import { Q6_K } from "./q6_k.ts";
import { Q8_0 } from "./q8_0.ts";

export const SUPPORTED_FORMATS: readonly QuantFormat[] = [
  F32,
  F16,
  BF16,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q8_0,
  Q4_K,
  Q5_K,
  Q6_K,
];

const BY_NAME = new Map(SUPPORTED_FORMATS.map((format) => [format.name, format]));

/** The format's descriptor, or undefined for one that has to be refused. */
export function formatOf(name: TensorFormat): QuantFormat | undefined {
  return BY_NAME.get(name);
}
