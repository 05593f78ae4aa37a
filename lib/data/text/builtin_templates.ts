/**
 * Built-in chat templates for models without one. Those whose models' templates write BOS do so too; for the others, the
 * caller adds the tokenizer's prefix. Every turn ends with one end token; responses are marked with `{% generation %}`,
 * including their end token.
 * @module
 */

/** Names of the built-in templates. */
export const BUILTIN_TEMPLATES = ["chatml", "llama3", "mistral", "zephyr", "plain"] as const;

/** Name of a built-in template. */
export type BuiltinTemplate = typeof BUILTIN_TEMPLATES[number];

const ROLE_HEADER_LLAMA3 = "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'";

/** Sources by name; their formats are those of the models' own templates. */
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
  // Mistral 7B Instruct: a system message is put before the first question
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
  // contents one after the other without markup, for base models
  plain: loop("''", "message['content'] + eos_token", "''", "''", "message['content']"),
};

/** Returns a template in which all turns have the same format; only responses may have another body. */
function loop(
  header: string,
  response: string,
  after: string,
  prompt: string,
  body: string = response,
): string {
  return "{% for message in messages %}{{ " + header + " }}" +
    "{% if message['role'] == 'assistant' %}{% generation %}{{ " + response + " }}{% endgeneration %}" +
    "{% else %}{{ " + body + " }}{% endif %}{{ " + after + " }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ " + prompt + " }}{% endif %}";
}

/** Returns the source of a built-in template, or undefined if there is none of that name. */
export function builtinTemplate(name: string): string | undefined {
  return Object.hasOwn(SOURCES, name) ? SOURCES[name as BuiltinTemplate] : undefined;
}
