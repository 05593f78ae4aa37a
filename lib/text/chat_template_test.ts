/** Chat templates against transformers, and where JavaScript and Python differ. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { DataError, UsageError } from "@/lib/tensor/errors.ts";
import { assistantText, maskOfSpans } from "./assistant_mask.ts";
import { compareChatCases } from "./chat_cases.ts";
import { chatTemplate, type Message } from "./chat_template.ts";
import { loadChatTemplate } from "./load_chat_template.ts";
import { strftime } from "./strftime.ts";
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

Deno.test("strip() takes the characters that it is told, as Qwen's templates do", () => {
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

Deno.test("what a template raises reaches the user, with the characters of the message", () => {
  const error = assertThrows(() => render(`{{ raise_exception('no ' + ${CONTENT}) }}`, "😀"), DataError);
  assertEquals(
    error.message,
    "Cannot render messages with the chat template of t as it must accept them: no 😀",
  );
});

Deno.test("the clock is the one that is given", () => {
  assertEquals(render("{{ strftime_now('%Y-%m-%d %H:%M:%S') }}"), "2024-07-06 15:04:05");
  assertEquals(
    strftime("%A %a %B %b %-d %e %I %p %j %y %% %Q", clock),
    "Saturday Sat July Jul 6  6 03 PM 188 24 % %Q",
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
  Deno.test(`the built-in template ${name} marks the answers with their ends`, () => {
    const template = loadChatTemplate(`${GOLDENS}/zephyr`, { template: name, clock })!;
    const { text, generated } = template.render(CHAT);
    const end = { chatml: "<|im_end|>", llama3: "<|eot_id|>" }[name] ?? "</s>";
    const answers = generated.map((span) => text.slice(span.start, span.end).trimStart());
    assertEquals(answers, [`Hello 😀!${end}`, `See you.${end}`]);
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

Deno.test("without generation blocks, an answer is what it adds to the messages before it", async () => {
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

Deno.test("a template that rewrites earlier turns cannot be masked by prefixes, and says so", () => {
  const forgetful = chatTemplate(
    "{% for m in messages %}{% if loop.last or m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}",
    { name: "forgetful", specialTokens: {}, clock },
  );
  assertEquals(assistantText(forgetful, CHAT.slice(1)), {
    problem: "the template of forgetful writes the messages before answer 1 differently when more follow",
  });
});

Deno.test("loadChatTemplate() refuses names that it does not know, and gives nothing for a model without", () => {
  assertEquals(loadChatTemplate("fixtures/stories260k", { template: "model", clock }), undefined);
  const unknown = assertThrows(() => loadChatTemplate(GOLDENS, { template: "alpaca", clock }), UsageError);
  assertEquals(
    unknown.message,
    "Cannot take chat template alpaca as it must be model, chatml, llama3, mistral, zephyr, plain, or a path that ends with .jinja",
  );
  const variant = assertThrows(
    () => loadChatTemplate(`${GOLDENS}/named`, { template: "model", clock, variant: "rag" }),
    DataError,
  );
  assertEquals(
    variant.message,
    `Cannot read ${GOLDENS}/named/tokenizer_config.json as "chat_template" must be a text or a list with a template named ` +
      `"rag": it names "default", "tool_use"`,
  );
});
