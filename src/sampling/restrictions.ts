// Steps that rule tokens out (-Infinity) whatever their logit: the mask of a grammar, and the least length of an answer.
import { EngineError } from "../base/errors.ts";

/**
 * Rules out the tokens whose bit is 0. [vocabSize]
 *
 * @param mask one bit each, low bit first, [ceil(vocabSize / 32)]
 * @throws EngineError `grammar_dead_end` when the mask allows no token that has a finite logit
 */
export function applyMask(logits: Float32Array, mask: Uint32Array): void {
  let allowed = false;
  for (let token = 0; token < logits.length; token++) {
    if (((mask[token >>> 5]! >>> (token & 31)) & 1) === 0) logits[token] = -Infinity;
    else allowed ||= logits[token]! > -Infinity;
  }
  if (allowed) return;
  throw new EngineError("grammar_dead_end", `The mask allows none of the ${logits.length} tokens with a finite logit.`);
}

/**
 * Rules out the tokens that would end the answer too early. Where no other token is left it does nothing: then a grammar is
 * complete and allows its end alone, and an answer that is valid but short is better than none. [vocabSize]
 */
export function holdBack(logits: Float32Array, heldBack: ReadonlySet<number>): void {
  let token = 0;
  while (token < logits.length && (logits[token] === -Infinity || heldBack.has(token))) token++;
  if (token === logits.length) return;
  for (const held of heldBack) if (held < logits.length) logits[held] = -Infinity;
}
