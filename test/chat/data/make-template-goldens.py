# Makes templates.json.gz: chat templates of Apache-2.0 and MIT models, conversations, and what Python's jinja2 makes of them.
# Run: python3 -m pip install jinja2 gguf; python3 test/chat/data/make-template-goldens.py ../shared/data/templates models/SmolLM2-135M-Instruct.Q4_1.gguf
# The templates and goldens of the first folder (jinja2 3.1.6 with transformers' settings) are taken over; SmolLM2's are rendered here.
import gzip, json, pathlib, sys
import gguf
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

FREE = {
    "Qwen-Qwen2.5-7B-Instruct.jinja": "Apache-2.0",
    "Qwen-Qwen3-0.6B.jinja": "Apache-2.0",
    "Qwen-QwQ-32B.jinja": "Apache-2.0",
    "microsoft-Phi-3.5-mini-instruct.jinja": "MIT",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja": "MIT",
    "Mistral-Small-3.2-24B-Instruct-2506.jinja": "Apache-2.0",
    "ByteDance-Seed-OSS.jinja": "Apache-2.0",
}
folder = pathlib.Path(sys.argv[1])
contexts = json.loads((folder / "contexts.json").read_text())
goldens = json.loads((folder / "goldens.json").read_text())
field = gguf.GGUFReader(sys.argv[2]).fields["tokenizer.chat_template"]
smollm = bytes(field.parts[field.data[0]]).decode()

def fail(message):
    raise ValueError(message)

environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
environment.globals["raise_exception"] = fail
environment.filters["tojson"] = lambda x, indent=None: json.dumps(x, ensure_ascii=False, indent=indent)
rendered = {}
for name, context in contexts.items():
    try:
        rendered[name] = {"ok": environment.from_string(smollm).render(**context)}
    except Exception as error:
        rendered[name] = {"error": str(error)}

out = {
    "licences": {**FREE, "HuggingFaceTB-SmolLM2.jinja": "Apache-2.0"},
    "contexts": contexts,
    "templates": {**{name: (folder / name).read_text() for name in FREE}, "HuggingFaceTB-SmolLM2.jinja": smollm},
    "goldens": {**{name: goldens[name] for name in FREE}, "HuggingFaceTB-SmolLM2.jinja": rendered},
}
text = json.dumps(out, ensure_ascii=False, indent=0).encode()
(pathlib.Path(__file__).parent / "templates.json.gz").write_bytes(gzip.compress(text, 9, mtime=0))
