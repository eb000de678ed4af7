"""Makes own-spm.gguf.gz, a small SentencePiece vocabulary of our own, and own-spm.json.gz: texts with sentencepiece's ids.

Run: pip install sentencepiece gguf && python3 test/tokenizer/data/make-own-spm.py
The model is BPE with byte fallback, as Llama's is: identity normalization, a space before the text, digits split, runs of
spaces kept. Training is deterministic for one version of sentencepiece (0.2.3 was used).
"""

import gzip
import io
import json
import pathlib
import random
import tempfile

import gguf
import sentencepiece as spm

HERE = pathlib.Path(__file__).parent
SENTENCES = """An ingle is the fire at home in a hearth, and the house is warm around it.
The model reads the words of the prompt and writes the next word, and then the next, and then the next again.
She said that it wasn't what they'd wanted, but we'll see whether it's what they need; I'm sure you've heard.
Der Ofen steht in der Ecke, und das Feuer brennt noch; die Größe der Küche überrascht alle Gäste.
Le feu brûle dans la cheminée, et l'hiver reste dehors : c'était déjà l'été dernier.
El fuego está en el hogar; mañana será otro día, ¿verdad? ¡Claro que sí!
Огонь горит в печи, и в доме тепло; за окном идёт снег, а мы читаем книги.
Η φωτιά καίει στο τζάκι και το σπίτι είναι ζεστό.
火在炉子里燃烧，房子里很暖和。今天的天气很好，我们去公园吧。
炉の火が燃えていて、家の中は暖かいです。ありがとうございます。
난로에서 불이 타고 있어서 집 안이 따뜻합니다.
النار تشتعل في الموقد والبيت دافئ.
आग चूल्हे में जल रही है और घर गर्म है।
for (let i = 0; i < count; i++) { total += values[i] * 2; }
def forward(self, x):\n    return self.weight @ x + self.bias
    if (index >= length) throw new RangeError(`Index ${index} is outside of ${length}`);
The numbers 0, 1, 2, 3, 10, 42, 128, 1024, 3.14159 and 1,000,000 are all written with digits.
{"role": "user", "content": "What is the capital of France?"}  The capital of France is Paris.
Whether the weather be fine, or whether the weather be not, we'll weather the weather whatever the weather.""".split("\n")
PARTS = (
    SENTENCES
    + "the fire hearth word next wasn't they'd über Größe été огонь книги φωτιά 炉の火 房子 난로 النار चूल्हे".split()
    + [" ", "  ", "    ", " " * 16, "\n", "\n\n", "\t", "\r\n", "\u3000", "\u00a0", "\u2581", "\u2581\u2581", "'", "''", "...", "\ufeff", "\ufffd"]
    + ["😀", "👩‍👩‍👧", "🇩🇪", "e\u0301", "\u0301", "\U00013000", "\U0010ffff", "ﬀ", "Ω", "\u2126", "\u0085"]
    + ["<tool>", "<to", "ol>", "</tool>", "<s>", "</s>", "<unk>", "<0x0A>", "0123456789", "42", "½", "๓"]
)


def train() -> bytes:
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as text:
        for _ in range(4):
            text.write("\n".join(SENTENCES).replace("\\n", " ") + "\n")
        text.flush()
        spm.SentencePieceTrainer.train(
            input=text.name, model_writer=model, model_type="bpe", vocab_size=1100, hard_vocab_limit=False,
            byte_fallback=True, split_digits=True, allow_whitespace_only_pieces=True, character_coverage=0.99,
            normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True,
            user_defined_symbols=["<tool>", "</tool>"], control_symbols=["<|end|>"], minloglevel=2, num_threads=1,
        )
    return model.getvalue()


def write_gguf(processor: spm.SentencePieceProcessor) -> None:
    kinds, texts, scores = [], [], []
    for i in range(processor.get_piece_size()):
        piece = processor.id_to_piece(i)
        kind = gguf.TokenType.NORMAL
        if processor.is_unknown(i):
            kind = gguf.TokenType.UNKNOWN
        elif processor.is_control(i):
            kind = gguf.TokenType.CONTROL
        elif processor.is_byte(i):
            kind = gguf.TokenType.BYTE
        elif piece in ("<tool>", "</tool>"):
            kind = gguf.TokenType.USER_DEFINED
        kinds.append(kind)
        texts.append(piece.encode())
        scores.append(processor.get_score(i))
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        writer = gguf.GGUFWriter(file.name, "llama")
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(texts)
        writer.add_token_scores(scores)
        writer.add_token_types(kinds)
        writer.add_bos_token_id(processor.bos_id())
        writer.add_eos_token_id(processor.eos_id())
        writer.add_unk_token_id(processor.unk_id())
        writer.add_add_bos_token(True)
        writer.add_add_eos_token(False)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        data = pathlib.Path(file.name).read_bytes()
    (HERE / "own-spm.gguf.gz").write_bytes(gzip.compress(data, 9, mtime=0))


def write_goldens(processor: spm.SentencePieceProcessor) -> None:
    dice = random.Random(7)
    texts = ["", *PARTS]
    while len(texts) < 2000:
        parts = [dice.choice(PARTS) for _ in range(dice.randrange(1, 7))]
        cut = [part[dice.randrange(len(part)) :] if dice.random() < 0.3 else part for part in parts]
        texts.append(dice.choice(["", " ", "", "\n"]).join(cut))
    texts.append("The weather " * 3000)  # long, in many words
    texts.append("weatherthefire" * 3000)  # one long word
    texts.append(" " * 20001)
    rows = [[text, processor.encode(text)] for text in texts]
    data = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    (HERE / "own-spm.json.gz").write_bytes(gzip.compress(data, 9, mtime=0))


processor = spm.SentencePieceProcessor(model_proto=train())
write_gguf(processor)
write_goldens(processor)
print(processor.get_piece_size(), "tokens")
