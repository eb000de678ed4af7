// The order of service tiers.
import type { Tier } from "../api/request.ts";

const ORDER: readonly Tier[] = ["priority", "default", "flex"];

/** Negative when `a` goes before `b`. */
export function byTier(a: Tier, b: Tier): number {
  return ORDER.indexOf(a) - ORDER.indexOf(b);
}
