// Templates for files that carry none, chosen by the control tokens that their vocabulary has.
// Written from the publishers' documented formats; only the plain chat form, without tools.

export interface BuiltinTemplate {
  readonly name: string;
  /** Control texts that all have to be in the vocabulary. */
  readonly needs: readonly string[];
  readonly source: string;
}

const CHATML = `{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;

const LLAMA_3 = `{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + message.content | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}`;

const GEMMA = `{{ bos_token }}{% for message in messages %}{% if message.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{{ '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\\n' + message.content | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}`;

const PHI_3 = `{% for message in messages %}{{ '<|' + message.role + '|>\\n' + message.content + '<|end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}`;

const MISTRAL = `{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}{{ '[INST] ' + message.content + ' [/INST]' }}{% elif message.role == 'assistant' %}{{ ' ' + message.content + eos_token }}{% else %}{{ raise_exception('Only user and assistant roles are supported') }}{% endif %}{% endfor %}`;

const ZEPHYR = `{% for message in messages %}{{ '<|' + message.role + '|>\\n' + message.content + eos_token + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}`;

const DEEPSEEK = `{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}{{ '<｜User｜>' + message.content }}{% elif message.role == 'assistant' %}{{ '<｜Assistant｜>' + message.content + eos_token }}{% else %}{{ message.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}`;

const LLAMA_2 = `{% set ns = namespace(system='') %}{% for message in messages %}{% if message.role == 'system' %}{% if not loop.first %}{{ raise_exception('The system message has to be the first one') }}{% endif %}{% set ns.system = '<<SYS>>\\n' + message.content + '\\n<</SYS>>\\n\\n' %}{% elif message.role == 'user' %}{{ bos_token + '[INST] ' + ns.system + message.content | trim + ' [/INST]' }}{% set ns.system = '' %}{% else %}{{ ' ' + message.content | trim + ' ' + eos_token }}{% endif %}{% endfor %}`;

/** In order of choice: the first whose needs are met. */
const BUILTIN_TEMPLATES: readonly BuiltinTemplate[] = [
  { name: "chatml", needs: ["<|im_start|>", "<|im_end|>"], source: CHATML },
  { name: "llama3", needs: ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], source: LLAMA_3 },
  { name: "gemma", needs: ["<start_of_turn>", "<end_of_turn>"], source: GEMMA },
  { name: "deepseek", needs: ["<｜User｜>", "<｜Assistant｜>"], source: DEEPSEEK },
  { name: "phi3", needs: ["<|user|>", "<|assistant|>", "<|end|>"], source: PHI_3 },
  { name: "zephyr", needs: ["<|user|>", "<|assistant|>"], source: ZEPHYR },
  { name: "mistral", needs: ["[INST]", "[/INST]"], source: MISTRAL },
];

/** Llama 2 marks turns by plain text: known only by its `<s>` and `</s>`, and by having no others. */
const SPM_DEFAULT: BuiltinTemplate = { name: "llama2", needs: ["<s>", "</s>"], source: LLAMA_2 };
const LAST_RESORT: BuiltinTemplate = { name: "chatml", needs: [], source: CHATML };

/** The template for a vocabulary with these control texts; ChatML where nothing tells. */
export function chooseBuiltinTemplate(controlPieces: readonly string[]): BuiltinTemplate {
  const known = new Set(controlPieces);
  const fits = ({ needs }: BuiltinTemplate): boolean => needs.every((piece) => known.has(piece));
  return [...BUILTIN_TEMPLATES, SPM_DEFAULT].find(fits) ?? LAST_RESORT;
}
