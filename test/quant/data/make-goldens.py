"""Makes the goldens of test/quant/dequantize.test.ts with the Python package `gguf` (pip install gguf numpy):

    python3 test/quant/data/make-goldens.py

One FORMAT.bin.gz each: u32 byte length of the blocks, the blocks, then their f32 values as gguf.quants.dequantize gives them.
The blocks are random bytes; some have extreme f16 scales: zeros of both signs, subnormals, largest exponents, infinities, NaN.
"""
import gzip
import pathlib
import struct

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from gguf.quants import dequantize

EXTREMES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x8400, 0x7BFF, 0xFBFF, 0x7800, 0x7C00, 0xFC00, 0x7E00]
# Where the f16 numbers of a block lie.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "F16": [0], "BF16": [], "F32": [],
}  # fmt: skip

here = pathlib.Path(__file__).parent
random = np.random.default_rng(20240607)
for name, halves in HALVES.items():
    kind = Type[name]
    length, size = GGML_QUANT_SIZES[kind]
    count = {1: 2048, 32: 80, 256: 20}[length]
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    # Ordinary scales for most blocks: random halves are mostly huge or tiny.
    for at in halves:
        scales = random.normal(0, 0.02, count).astype(np.float16)
        if length > 1:
            blocks[:, at : at + 2] = scales.view(np.uint8).reshape(count, 2)
    extreme = 0
    for at in halves:
        for value in EXTREMES[: count // 2]:
            # An ordinary neighbour for each extreme, and both extreme at once where the rows meet again.
            blocks[extreme % (count - 2)][at : at + 2] = list(struct.pack("<H", value))
            extreme += 1
    if length > 1:
        blocks[-1] = 0
        blocks[-2] = 255
        for at in halves:
            blocks[-2][at : at + 2] = [0xFF, 0x7B]
    if name == "BF16":
        blocks[: len(EXTREMES)] = np.array([0, 0x8000, 1, 0x8001, 0x7F, 0x807F, 0x80, 0x7F7F, 0xFF7F, 0x7F80, 0xFF80, 0x7FC0, 0x3F80, 0xBF80], np.uint16).view(np.uint8).reshape(-1, 2)  # fmt: skip
    with np.errstate(all="ignore"):
        values = dequantize(blocks, kind).astype(np.float32).reshape(-1)
    body = struct.pack("<I", blocks.nbytes) + blocks.tobytes() + values.tobytes()
    (here / f"{name.lower()}.bin.gz").write_bytes(gzip.compress(body, 9, mtime=0))
