#!/usr/bin/env python3
"""Golden logprobs of the tiny models (models.ts), by the float64 oracle of the project's shared data.

    pip install gguf numpy
    node scripts/run.mjs ../test/conformance/write-models /tmp/tiny
    python3 test/conformance/goldens.py ../shared/data/oracle /tmp/tiny > test/conformance/data/goldens.json.gz

The oracle knows no rope scaling. Linear and YaRN are given to it as divisors of the frequencies and a factor on the rotated
vectors, by the formulas of transformers' modeling_rope_utils.py (_compute_linear_scaling_rope_parameters,
_compute_yarn_parameters), which is where the models that use them come from.
"""
import gzip, json, math, sys
from pathlib import Path
import numpy as np

sys.path.insert(0, sys.argv[1])
import exact_logits  # noqa: E402

plain_rope = exact_logits.rope


def yarn(dim, base, factor, original, beta_fast=32.0, beta_slow=1.0):
    def correction(rotations):
        return dim * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(base))

    low, high = max(math.floor(correction(beta_fast)), 0), min(math.ceil(correction(beta_slow)), dim - 1)
    ramp = np.clip((np.arange(dim // 2) - low) / ((high - low) or 0.001), 0, 1)
    frequency = base ** (-np.arange(0, dim, 2) / dim)
    return frequency / (frequency / factor * ramp + frequency * (1 - ramp)), 0.1 * math.log(factor) + 1


def scaling(model):
    """Divisors of the frequencies, or None, and what cos and sin are multiplied with."""
    key = f"{model.arch}.rope.scaling."
    kind, factor = model.meta(key + "type", None), model.meta(key + "factor", None)
    if kind == "linear":
        return np.full(model.head_dim // 2, factor), 1.0
    if kind == "yarn":
        return yarn(model.head_dim, model.rope_base, factor, model.meta(key + "original_context_length"))
    return None, 1.0


def logprobs(path, tokens, positions):
    model = exact_logits.Model(path)
    divisors, multiplier = scaling(model)
    exact_logits.rope = lambda x, at, base, interleaved, factors: multiplier * plain_rope(
        x, at, base, interleaved, factors if divisors is None else divisors
    )
    rows = exact_logits.Run(model).step(tokens)[positions]
    peak = rows.max(-1, keepdims=True)
    rows = rows - peak - np.log(np.exp(rows - peak).sum(-1, keepdims=True))
    return [[round(float(value), 6) for value in row] for row in rows]


folder = Path(sys.argv[2])
plan = json.loads((folder / "models.json").read_text())
models = {entry["name"]: logprobs(folder / entry["file"], plan["tokens"], plan["positions"]) for entry in plan["files"]}
text = json.dumps({"tokens": plan["tokens"], "positions": plan["positions"], "logprobs": models})
sys.stdout.buffer.write(gzip.compress(text.encode(), 9, mtime=0))
