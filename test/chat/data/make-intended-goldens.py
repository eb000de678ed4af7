# Makes template-intended.json: SHA-256 of what Python's jinja2 makes of the conversations as the engine means to hand them on,
# where that differs from the words of the request: a developer's message as the system's, the arguments of a call as the
# object that their JSON text stands for, text parts joined, calls and results in a form that the template prints. Hashes, because not every template may be committed.
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

# These print calls beside a missing content only, and add their arguments to text.
CALLS_ALONE = {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja", "lenml-deepseek_v3.jinja"}
# These print neither calls nor results.
NO_TOOLS = {"llama-cpp-rwkv-world.jinja", "microsoft-Phi-3.5-mini-instruct.jinja"}

def to_text(arguments):
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))

def calls_alone(messages):
    for message in messages:
        calls = message.get("tool_calls")
        if not calls:
            yield message
            continue
        for call in calls:
            call["function"]["arguments"] = to_text(call["function"]["arguments"])
        if message["content"]:
            yield {key: value for key, value in message.items() if key != "tool_calls"}
        yield {**message, "content": None}

def calls_as_text(messages):
    results = []
    for message in [*messages, None]:
        if message and message["role"] == "tool":
            results.append(f"<tool_response>\n{message['content']}\n</tool_response>")
            continue
        if results:
            yield {"role": "user", "content": "\n".join(results)}
            results = []
        if message and message.get("tool_calls"):
            functions = [call["function"] for call in message["tool_calls"]]
            lines = [f'<tool_call>\n{{"name": "{f["name"]}", "arguments": {to_text(f["arguments"])}}}\n</tool_call>' for f in functions]
            yield {"role": "assistant", "content": "\n".join(([message["content"]] if message["content"] else []) + lines)}
        elif message:
            yield message

def intended(name, context):
    context = copy.deepcopy(context)
    if name in CALLS_ALONE:
        context["messages"] = list(calls_alone(context["messages"]))
    if name in NO_TOOLS:
        context["messages"] = list(calls_as_text(context["messages"]))
    for message in context["messages"]:
        if message["role"] == "developer":
            message["role"] = "system"
        for call in message.get("tool_calls") or []:
            if isinstance(call["function"]["arguments"], str) and name not in CALLS_ALONE:
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
        rendered = template.render(**intended(name, contexts[context]))
        out[case] = hashlib.sha256(rendered.encode()).hexdigest()
    except Exception as error:
        print("python refuses:", case, error, file=sys.stderr)
(here / "template-intended.json").write_text(json.dumps(out, indent=2) + "\n")
print(len(out))
