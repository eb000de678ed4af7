# Makes template-intended.json: SHA-256 of what Python's jinja2 makes of the conversations as the engine means to hand them on,
# where that differs from the words of the request: a developer's message as the system's, the arguments of a call as the
# object that their JSON text stands for, text parts joined. Hashes, because not every template may be committed.
# Run: python3 -m pip install jinja2; python3 test/chat/data/make-intended-goldens.py ../shared/data/templates
import copy, datetime, hashlib, json, pathlib, sys
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

here = pathlib.Path(__file__).parent
folder = pathlib.Path(sys.argv[1])
contexts = json.loads((folder / "contexts.json").read_text())
goldens = json.loads((folder / "goldens.json").read_text())
misses = json.loads((here / "template-misses.json").read_text())["request"]

def fail(message):
    raise ValueError(message)

def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
environment.globals["raise_exception"] = fail
environment.globals["strftime_now"] = lambda format: datetime.datetime(2025, 1, 2, 12).strftime(format)
environment.filters["tojson"] = tojson

def intended(context):
    context = copy.deepcopy(context)
    for message in context["messages"]:
        if message["role"] == "developer":
            message["role"] = "system"
        for call in message.get("tool_calls") or []:
            if isinstance(call["function"]["arguments"], str):
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
        if isinstance(message["content"], list):
            message["content"] = "".join(part.get("text", "") for part in message["content"])
    return context

out = {}
for case, reason in misses.items():
    name, context = case.split(" ")
    if not reason.startswith("on purpose") or name.startswith("HuggingFaceTB"):
        continue
    template = environment.from_string((folder / name).read_text())
    if template.render(**contexts[context]) != goldens[name][context]["ok"]:
        print("not as the goldens were made:", case, file=sys.stderr)
    try:
        rendered = template.render(**intended(contexts[context]))
        out[case] = hashlib.sha256(rendered.encode()).hexdigest()
    except Exception as error:
        print("python refuses:", case, error, file=sys.stderr)
(here / "template-intended.json").write_text(json.dumps(out, indent=2) + "\n")
print(len(out))
