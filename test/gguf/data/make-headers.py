"""Makes small real headers for the mutation test: real files with each array cut to its first 120 items.

Run from the repository's root: python3 test/gguf/data/make-headers.py FILE.gguf...
Writes test/gguf/data/<name>.header.gz: u64 size of the whole file as announced, then the header.
"""
import gzip, os, struct, sys

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
KEEP = 120


def cut(path):
    data = open(path, "rb").read(64 << 20)
    at = 24
    u64 = lambda p: struct.unpack_from("<Q", data, p)[0]
    u32 = lambda p: struct.unpack_from("<I", data, p)[0]
    tensors, pairs = u64(8), u64(16)
    out = bytearray(data[:24])
    for _ in range(pairs):
        start = at
        at += 8 + u64(at)
        kind = u32(at)
        at += 4
        if kind == 8:
            at += 8 + u64(at)
        elif kind == 9:
            item, count = u32(at), u64(at + 4)
            out += data[start:at] + struct.pack("<IQ", item, min(count, KEEP))
            at += 12
            for i in range(count):
                length = 8 + u64(at) if item == 8 else SIZES[item]
                if i < KEEP:
                    out += data[at : at + length]
                at += length
            continue
        else:
            at += SIZES[kind]
        out += data[start:at]
    start = at
    for _ in range(tensors):
        at += 8 + u64(at)
        at += 4 + 8 * u32(at) + 12
    out += data[start:at]
    body = os.path.getsize(path) - (at + 31) // 32 * 32
    size = (len(out) + 31) // 32 * 32 + max(body, 0) if tensors else len(out)
    return size, bytes(out)


for path in sys.argv[1:]:
    size, header = cut(path)
    name = os.path.basename(path).removesuffix(".gguf").lower()
    with open(os.path.join(os.path.dirname(__file__), name + ".header.gz"), "wb") as file:
        file.write(gzip.compress(struct.pack("<Q", size) + header, mtime=0))
    print(name, size, len(header))
