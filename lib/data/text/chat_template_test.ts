/** Chat templates against transformers, and the differences between JavaScript and Python. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { assistantText, maskOfSpans } from "./assistant_mask.ts";
import { compareChatCases } from "@/tests/goldens/checks/chat_cases.ts";
import { chatTemplate, type Message } from "./chat_template.ts";
import { loadChatTemplate } from "./load_chat_template.ts";
import { strftime } from "./strftime.ts";
import { TemplateBudgetError } from "./template_budget.ts";
import { loadTokenizer } from "./tokenizer.ts";

const GOLDENS = "fixtures/goldens/chat_templates";
const FOLDERS = [...Deno.readDirSync(GOLDENS)].filter((entry) => entry.isDirectory).map(({ name }) => name);
const clock = new Date("2024-07-06T15:04:05Z");
const casesOf = (name: string) => JSON.parse(Deno.readTextFileSync(`${GOLDENS}/${name}/cases.json`)).cases;

for (const name of FOLDERS.sort()) {
  Deno.test(`the chat template of ${name} gives the texts, ids, masks and errors of transformers`, async () => {
    const cases = casesOf(name);
    assertEquals(cases.length >= 32, true);
    assertEquals(await compareChatCases(`${GOLDENS}/${name}`, cases), []);
  });
}

Deno.test("compareChatCases() finds a changed text, id, mask and error", async () => {
  const [first, second] = casesOf("generation");
  const changed = [{ ...first, text: "x", ids: [1], assistant_mask: [] }, {
    id: "e",
    ...second,
    error: "no",
  }];
  const fields = (await compareChatCases(`${GOLDENS}/generation`, changed)).map(({ field }) => field);
  assertEquals(fields, ["text", "ids", "assistant_mask"]);
  const raised = casesOf("gemma").find((chat: { error?: string }) => chat.error !== undefined);
  const other = await compareChatCases(`${GOLDENS}/gemma`, [{ ...raised, error: "another" }]);
  assertEquals(other.map(({ field }) => field), ["error"]);
});

function render(
  source: string,
  content: unknown = "",
  variables: Readonly<Record<string, unknown>> = {},
): string {
  const template = chatTemplate(source, { name: "t", specialTokens: {}, clock });
  return template.render([{ role: "user", content }], { variables }).text;
}

const CONTENT = "messages[0]['content']";

Deno.test("white space is Python's: U+FEFF is none, U+0085 and U+001C are", () => {
  assertEquals(render(`[{{ ${CONTENT}.strip() }}]`, "\u0085\u001c \uFEFFa\uFEFF\u00a0\n"), "[\uFEFFa\uFEFF]");
  assertEquals(render(`[{{ ${CONTENT} | trim }}]`, "\uFEFF a \u0085"), "[\uFEFF a]");
  assertEquals(render(`[{{ ${CONTENT}.lstrip() + '|' + ${CONTENT}.rstrip() }}]`, " a "), "[a | a]");
});

Deno.test("strip() removes the characters in its argument, as Qwen's templates require", () => {
  assertEquals(render(`[{{ ${CONTENT}.strip('\\n') }}]`, "\n\n a \n"), "[ a ]");
  assertEquals(render(`[{{ ${CONTENT}.lstrip('-^]') }}]`, "]^-a-"), "[a-]");
  assertEquals(render(`[{{ ${CONTENT}.rstrip('') }}]`, "a "), "[a ]");
});

Deno.test("equality does not convert: '' is not false, 1 is true, None is itself alone", () => {
  const source =
    "{{ '' == false }} {{ '' != false }} {{ 1 == true }} {{ '1' == 1 }} {{ none == missing }} {{ [1] == [1] }}";
  assertEquals(render(source), "false true true false false true");
});

Deno.test("texts are sequences of code points", () => {
  assertEquals(
    render(`{{ ${CONTENT} | length }} {{ ${CONTENT}[1:2] }} {{ ${CONTENT} }}`, "😀😁a"),
    "3 😁 😀😁a",
  );
  assertEquals(render(`{{ ${CONTENT}.title() }}|{{ ${CONTENT}.capitalize() }}`, "éa BC"), "Éa Bc|Éa bc");
});

Deno.test("content is data: tags in it are never rendered, private characters pass through", () => {
  const odd = "{{ 1 }} {% generation %} \uE000\uF8FF \uFEFF😀";
  assertEquals(render(`{{ ${CONTENT} }}`, odd), odd);
});

Deno.test("the error that a template raises is reported with the characters of the message", () => {
  const error = assertThrows(() => render(`{{ raise_exception('no ' + ${CONTENT}) }}`, "😀"), DataError);
  assertEquals(
    error.message,
    "The chat template of t does not accept the messages: no 😀",
  );
});

Deno.test("strftime_now uses the given clock", () => {
  assertEquals(render("{{ strftime_now('%Y-%m-%d %H:%M:%S') }}"), "2024-07-06 15:04:05");
  assertEquals(
    strftime("%A %a %B %b %-d %e %I %p %j %y %% %Q", clock),
    "Saturday Sat July Jul 6  6 03 PM 188 24 % %Q",
  );
  assertEquals(
    strftime("%j %-j %f %c %X %F %T %%j", new Date("2024-01-01T00:00:00Z")),
    "001 1 000000 Mon Jan  1 00:00:00 2024 00:00:00 2024-01-01 00:00:00 %j",
  );
});

const CHAT: readonly Message[] = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello 😀!" },
  { role: "user", content: "Bye" },
  { role: "assistant", content: "See you." },
];

for (const name of ["chatml", "llama3", "mistral", "zephyr", "plain"]) {
  Deno.test(`the built-in template ${name} marks the responses with their ends`, () => {
    const template = loadChatTemplate(`${GOLDENS}/zephyr`, { template: name, clock })!;
    const { text, generated } = template.render(CHAT);
    const end = { chatml: "<|im_end|>", llama3: "<|eot_id|>" }[name] ?? "</s>";
    const responses = generated.map((span) => text.slice(span.start, span.end).trimStart());
    assertEquals(responses, [`Hello 😀!${end}`, `See you.${end}`]);
    const prompt = template.render(CHAT.slice(0, 2), { addGenerationPrompt: true }).text;
    assertEquals(text.slice(0, generated[0]!.start), prompt);
  });
}

for (const name of ["chatml", "zephyr"]) {
  Deno.test(`the built-in template ${name} writes what the models' own writes`, () => {
    const builtin = loadChatTemplate(`${GOLDENS}/${name}`, { template: name, clock })!;
    for (const chat of casesOf(name)) {
      if (chat.id !== "single" && chat.id !== "multi") continue;
      const { text } = builtin.render(chat.messages, { addGenerationPrompt: chat.add_generation_prompt });
      assertEquals(text, chat.text);
    }
  });
}

Deno.test("without generation blocks, a response is what it adds to the messages before it", async () => {
  const template = loadChatTemplate(`${GOLDENS}/llama3`, { template: "model", clock })!;
  const chat = assistantText(template, CHAT);
  if ("problem" in chat) throw new TypeError(chat.problem);
  const parts = chat.spans.map(({ start, end }) => chat.text.slice(start, end));
  assertEquals(parts, ["Hello 😀!<|eot_id|>", "See you.<|eot_id|>"]);
  const tokenizer = loadTokenizer(`${GOLDENS}/llama3`);
  const [encoded] = await tokenizer.encodeWithPlaces([chat.text]);
  const mask = maskOfSpans(encoded!, chat.spans);
  assertEquals(tokenizer.decode(encoded!.ids.filter((_, k) => mask[k] === 1)), parts.join(""));
});

Deno.test("a template that changes earlier turns is refused", () => {
  const forgetful = chatTemplate(
    "{% for m in messages %}{% if loop.last or m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}",
    { name: "forgetful", specialTokens: {}, clock },
  );
  assertEquals(assistantText(forgetful, CHAT.slice(1)), {
    problem: "the template of forgetful changes the messages before message 1 when it is added",
  });
});

Deno.test("loadChatTemplate() refuses unknown names, and returns undefined for a model without a template", () => {
  assertEquals(loadChatTemplate("fixtures/stories260k", { template: "model", clock }), undefined);
  const unknown = assertThrows(() => loadChatTemplate(GOLDENS, { template: "alpaca", clock }), UsageError);
  assertEquals(
    unknown.message,
    "chat_template must be model, chatml, llama3, mistral, zephyr, plain or a path that ends with .jinja, got alpaca",
  );
  const variant = assertThrows(
    () => loadChatTemplate(`${GOLDENS}/named`, { template: "model", clock, variant: "rag" }),
    DataError,
  );
  assertEquals(
    variant.message,
    `${GOLDENS}/named/tokenizer_config.json: chat_template must be a text or have a template named "rag", got "default", ` +
      '"tool_use"',
  );
});

/** Template of Mistral 7B Instruct v0.3, from its beginning up to the tool calls. */
const MISTRAL_V3 = `
{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}

{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}
                        {{- ", " }}
                    {%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}
                    {{- ", " }}
                {%- else %}
                    {{- "]" }}
                {%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- endif %}
{%- endfor %}`;

Deno.test("without tools and documents, a template gets None for both, as from transformers", () => {
  const source =
    "{{ tools is none }} {{ documents is none }} {{ tools is defined }} {{ documents is defined }}";
  assertEquals(render(source), "true true true true");
});

Deno.test("Mistral's own template, which loops over tools when they are not none, renders with and without tools", () => {
  const specialTokens = { bos_token: "<s>", eos_token: "</s>" };
  const template = chatTemplate(MISTRAL_V3, { name: "mistral", specialTokens, clock });
  const turns = "<s>[INST] Hi[/INST] Hello 😀!</s>";
  assertEquals(template.render(CHAT.slice(0, 4)).text, `${turns}[INST] Be brief.\n\nBye[/INST]`);
  const tools = [{ type: "function", function: { name: "add", parameters: { a: 1 } } }];
  assertEquals(
    template.render(CHAT.slice(1, 4), { tools }).text,
    `${turns}[AVAILABLE_TOOLS] [{"type": "function", "function": {"name": "add", "parameters": {"a": 1}}}]` +
      "[/AVAILABLE_TOOLS][INST] Bye[/INST]",
  );
});

Deno.test("selectattr and rejectattr accept variables and numbers as arguments", () => {
  const source =
    "{% set wanted = 'user' %}{% set rows = [{'role': 'user', 'n': 1}, {'role': 'tool', 'n': 2}] %}" +
    "{{ rows | selectattr('role', 'equalto', wanted) | map(attribute='n') | join }} " +
    "{{ rows | rejectattr('role', 'equalto', wanted) | map(attribute='n') | join }} " +
    "{{ rows | selectattr('n', 'equalto', 2) | map(attribute='role') | join }} " +
    "{{ rows | selectattr('role', 'equalto', messages[0]['role']) | map(attribute='n') | join }}";
  assertEquals(render(source), "1 2 tool 1");
});

const N = "namespace(x='aaaaaaaa')";
const DOUBLED = (set: string) =>
  `{% set n = ${N} %}{% for i in range(60) %}{% set n.x = ${set} %}{% endfor %}`;
const STEPS = "take at most 1000000 steps per conversation, got more";
const CHARACTERS = /write at most \d+ characters, got more/;

for (
  const [what, source, message] of [
    ["a long range", "{% for a in range(10**9) %}{% endfor %}", STEPS],
    [
      "nested loops",
      "{% for a in range(10**3) %}{% for b in range(10**3) %}{% for c in range(10**3) %}x{% endfor %}{% endfor %}{% endfor %}",
      STEPS,
    ],
    [
      "nested loops over one list with empty bodies",
      "{% set r = range(90000) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}",
      STEPS,
    ],
    [
      "nested loops with conditions",
      "{% set r = range(9000) %}{% for a in r %}{% for b in r if b < 0 %}{% endfor %}{% endfor %}",
      STEPS,
    ],
    ["a text that is doubled", DOUBLED("n.x ~ n.x"), CHARACTERS],
    ["a list that is doubled", DOUBLED("[n.x, n.x]") + "{{ n.x | tojson }}", CHARACTERS],
    ["a mapping that is doubled", DOUBLED("{'a': n.x, 'b': n.x}") + "{{ n.x }}", CHARACTERS],
    [
      "mappings with a long key",
      `${DOUBLED("n.x ~ n.x").replace("60", "14")}{% set o = {n.x: 1} %}{% for i in range(20) %}` +
      "{% set n.o = [o, o, o, o, o, o, o, o, o, o] %}{% set o = n.o %}{{ o | tojson }}{% endfor %}",
      CHARACTERS,
    ],
    ["namespaces that are doubled", DOUBLED("namespace(a=n.x, b=n.x)") + "{{ n | tojson }}", /got more/],
    ["a namespace in itself", "{% set n = namespace(x=1) %}{% set n.x = n %}{{ n }}", /at most 200 deep/],
    [
      "a long list that is written often",
      "{% set r = range(90000) %}{% for a in range(90000) %}{% if r | string %}{% endif %}{% endfor %}",
      /got more/,
    ],
    [
      "searches in long texts",
      "{% set n = namespace(x='a') %}{% for i in range(18) %}{% set n.x = n.x ~ n.x %}{% endfor %}" +
      "{% for i in range(9000) %}{% if 'b' ~ n.x in n.x ~ n.x %}{% endif %}{% endfor %}",
      STEPS,
    ],
    [
      "macros that call themselves",
      "{% macro m(k) %}{% if k > 0 %}{{ m(k - 1) }}{{ m(k - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
      STEPS,
    ],
  ] as const
) {
  Deno.test(`the budget of a chat template ends ${what}`, () => {
    const error = assertThrows(() => render(source), TemplateBudgetError);
    const rest = error.message.replace("The chat template of t must ", "");
    assertEquals(typeof message === "string" ? rest === message : message.test(rest), true, error.message);
  });
}

Deno.test("the budget of a chat template allows long conversations", () => {
  const messages = Array.from({ length: 400 }, (_, k): Message => ({
    role: k % 2 === 0 ? "user" : "assistant",
    content: `${k} `.repeat(500),
  }));
  for (const name of FOLDERS) {
    const template = loadChatTemplate(`${GOLDENS}/${name}`, { template: "model", clock });
    if (template) assertEquals(template.render(messages).text.length > 1000, true, name);
  }
});
