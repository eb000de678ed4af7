// `system_fingerprint`: one name for all that can change a bit of an answer.

import { sha256Hex } from "../base/sha256.ts";

export interface FingerprintParts {
  /** This engine's version, raised with every change that can alter an answer. */
  readonly build: string;
  /** Identity of the weights: see storage/weights-identity. */
  readonly weights: string;
  /** The chat template's source, or the name of the built-in one. */
  readonly template: string;
  /** WebGPU features in use. */
  readonly features: readonly string[];
  /** RuntimeInfo.fingerprint: device, kernels and their variants, the format of keys and values. */
  readonly runtime: Readonly<Record<string, string>>;
}

/** `fp_` and 12 hexadecimal digits of SHA-256. The order of features and of the runtime's entries does not matter. */
export async function fingerprintOf({ runtime, features, ...rest }: FingerprintParts): Promise<string> {
  const parts = {
    ...rest,
    features: [...features].sort(),
    runtime: Object.entries(runtime).sort(([a], [b]) => (a < b ? -1 : 1)),
  };
  const text = JSON.stringify(Object.entries(parts).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `fp_${(await sha256Hex(text)).slice(0, 12)}`;
}
