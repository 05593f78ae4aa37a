/**
 * Chat templates by name, for models that bring none. Where their models' own templates write BOS, so do they; the caller puts
 * it before the others if the tokenizer would. Every turn ends with one end token, and answers are marked with `{% generation %}`, their end included.
 * @module
 */

/** Names of the built-in templates. */
export const BUILTIN_TEMPLATES = ["chatml", "llama3", "mistral", "zephyr", "plain"] as const;

/** Name of a built-in template. */
export type BuiltinTemplate = typeof BUILTIN_TEMPLATES[number];

const ROLE_HEADER_LLAMA3 = "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'";

/** Sources by name; the shapes are those of the models' own templates. */
const SOURCES: Readonly<Record<BuiltinTemplate, string>> = {
  // OpenAI's ChatML, as Qwen writes it
  chatml: loop(
    "'<|im_start|>' + message['role'] + '\\n'",
    "message['content'] + '<|im_end|>'",
    "'\\n'",
    "'<|im_start|>assistant\\n'",
  ),
  // Llama 3 Instruct
  llama3: "{{ bos_token }}" + loop(
    ROLE_HEADER_LLAMA3,
    "message['content'] | trim + '<|eot_id|>'",
    "''",
    "'<|start_header_id|>assistant<|end_header_id|>\\n\\n'",
  ),
  // Mistral 7B Instruct: a system message goes before the first question
  mistral: "{{ bos_token }}{% set state = namespace(system='') %}{% for message in messages %}" +
    "{% if message['role'] == 'system' %}{% set state.system = message['content'] + '\\n\\n' %}" +
    "{% elif message['role'] == 'user' %}{{ '[INST] ' + state.system + message['content'] + ' [/INST]' }}" +
    "{% set state.system = '' %}{% elif message['role'] == 'assistant' %}{% generation %}" +
    "{{ ' ' + message['content'] + eos_token }}{% endgeneration %}" +
    "{% else %}{{ raise_exception('Unknown role: ' + message['role']) }}{% endif %}{% endfor %}",
  // Zephyr 7B beta
  zephyr: loop(
    "'<|' + message['role'] + '|>\\n'",
    "message['content'] + eos_token",
    "'\\n'",
    "'<|assistant|>\\n'",
  ),
  // no words around: contents one after the other, as a base model reads them
  plain: loop("''", "message['content'] + eos_token", "''", "''", "message['content']"),
};

/** A template of turns that all look alike; only an answer may have another `body` than other turns. */
function loop(header: string, answer: string, after: string, prompt: string, body: string = answer): string {
  return "{% for message in messages %}{{ " + header + " }}" +
    "{% if message['role'] == 'assistant' %}{% generation %}{{ " + answer + " }}{% endgeneration %}" +
    "{% else %}{{ " + body + " }}{% endif %}{{ " + after + " }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ " + prompt + " }}{% endif %}";
}

/** Source of a built-in template, undefined if there is none of that name. */
export function builtinTemplate(name: string): string | undefined {
  return Object.hasOwn(SOURCES, name) ? SOURCES[name as BuiltinTemplate] : undefined;
}
