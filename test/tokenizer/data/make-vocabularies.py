"""Packs the vocabularies and vectors of ../shared/data/vocab into this folder.

Run: python3 test/tokenizer/data/make-vocabularies.py FOLDER-WITH-THE-VOCABULARIES
qwen3-tokenizer.gguf loses its 400 made-up tensor entries (some of types that GGML has withdrawn); its metadata stays as it is.
"""

import gzip
import pathlib
import shutil
import struct
import sys

QWEN3_METADATA_END = 5925927  # byte offset of the first tensor entry

source = pathlib.Path(sys.argv[1])
here = pathlib.Path(__file__).parent


def pack(name: str, data: bytes) -> None:
    (here / f"{name}.gguf.gz").write_bytes(gzip.compress(data, 9, mtime=0))


for name in ["gpt-2", "falcon", "mpt"]:
    pack(name, (source / f"ggml-vocab-{name}.gguf").read_bytes())
qwen3 = (source / "qwen3-tokenizer.gguf").read_bytes()[:QWEN3_METADATA_END]
pack("qwen3", qwen3[:8] + struct.pack("<Q", 0) + qwen3[16:])
for name in ["gpt-2", "falcon", "mpt", "qwen2", "deepseek-r1-qwen"]:
    shutil.copyfile(source / f"ggml-vocab-{name}.gguf.out", here / f"{name}.out")
shutil.copyfile(source / "ggml-vocab-gpt-2.gguf.inp", here / "vectors.inp")
