"""Makes splits.json.gz: how the tokenizers library (Rust) splits the first random strings by each rule, as a hash of the ends.

Run in the project's root: pip install tokenizers && python3 test/tokenizer/data/make-split-goldens.py
Patterns are those of the publishers' tokenizer.json files, with their \\s and (?i:...); ours are written another way.
"""

import gzip
import json
import pathlib
import subprocess

from tokenizers import Regex, pre_tokenizers

COUNT = 1500
DUMP = """
import { runnerImport } from "vite";
const { module } = await runnerImport("./test/tokenizer/random-strings.ts");
console.log(JSON.stringify(Array.from({ length: %d }, (_, i) => module.randomString(i))));
process.exit(0);
"""
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
C = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = C + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
U, L = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{U}*{L}+%s|[^\r\n\p{{L}}\p{{N}}]?{U}+{L}*%s|\p{{N}}%s| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
V3 = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7a3]+"  # the library cannot compile the published end, U+D7FF: none is assigned between
RULES = {
    "gpt-2": [GPT2],
    "smollm": [r"\p{N}", GPT2],
    "llama-bpe": [LLAMA3],
    "qwen2": [LLAMA3.replace("{1,3}", "")],
    "qwen35": [C + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "gpt-4o": [O200K % (C + "?", C + "?", "{1,3}")],
    "tekken": [O200K % ("", "", "")],
    "deepseek-v3": [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", V3],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK, r"\p{N}"],
    "falcon": [r"[\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"],
    "bailingmoe": [r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"],
    "seed-coder": [C + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"],
}


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def hash_ends(text: str, splitter: pre_tokenizers.PreTokenizer) -> int:
    value = 0x811C9DC5
    for _, (_, end) in splitter.pre_tokenize_str(text):
        value = ((value ^ utf16_length(text[:end])) * 0x01000193) & 0xFFFFFFFF
    return value


dumped = subprocess.run(["node", "--input-type=module", "-e", DUMP % COUNT], capture_output=True, check=True).stdout
texts = [text.replace("\u017f", "") for text in json.loads(dumped)]  # (?i:'s) matches this s here, but not elsewhere
goldens = {}
for name, patterns in RULES.items():
    splitter = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns])
    goldens[name] = [hash_ends(text, splitter) for text in texts]
data = json.dumps(goldens, separators=(",", ":")).encode()
(pathlib.Path(__file__).parent / "splits.json.gz").write_bytes(gzip.compress(data, 9, mtime=0))
