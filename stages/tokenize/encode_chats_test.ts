/** Conversations by chat templates: supervised tokens, and what is refused. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { chatTemplate, type Message } from "@/lib/data/text/chat_template.ts";
import { loadChatTemplate } from "@/lib/data/text/load_chat_template.ts";
import { loadTokenizer, type Tokenizer } from "@/lib/data/text/tokenizer.ts";
import { type Chat, encodeChatPrompts, encodeChats } from "./encode_chats.ts";
import { encodeContents, encodePromptContents } from "./encode_contents.ts";

const GOLDENS = "fixtures/goldens/chat_templates";
const clock = new Date("2024-07-26T12:00:00Z");

function setting(name: string, template = "model"): { readonly tokenizer: Tokenizer; readonly chat: Chat } {
  const found = loadChatTemplate(`${GOLDENS}/${name}`, { template, clock })!;
  return {
    tokenizer: loadTokenizer(`${GOLDENS}/${name}`),
    chat: { template: found, addsPrefix: template !== "model" },
  };
}

const TALK: readonly Message[] = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello there!" },
  { role: "user", content: "Tell me a joke." },
  { role: "assistant", content: "No." },
];

/** Returns the supervised runs of a conversation as texts. */
async function supervised(
  { tokenizer, chat }: ReturnType<typeof setting>,
  messages: readonly Message[],
): Promise<string[]> {
  const [encoded] = await encodeChats(tokenizer, chat, [messages], "error");
  if ("problem" in encoded!) throw new TypeError(encoded.problem);
  const { responseIds, responseMask } = encoded!;
  const runs: number[][] = [];
  responseIds.forEach((id, k) => {
    if (responseMask![k] !== 1) return;
    if (k === 0 || responseMask![k - 1] !== 1) runs.push([]);
    runs.at(-1)!.push(id);
  });
  return runs.map((ids) => tokenizer.decode(ids));
}

for (
  const [name, responses] of [
    ["chatml", ["Hello there!<|im_end|>", "No.<|im_end|>"]],
    ["generation", ["Hello there!<|im_end|>", "No.<|im_end|>"]],
    ["gemma", ["Hello there!<end_of_turn>", "No.<end_of_turn>"]],
    ["llama3", ["Hello there!<|eot_id|>", "No.<|eot_id|>"]],
    ["llama3_date", ["Hello there!<|eot_id|>", "No.<|eot_id|>"]],
    ["mistral", ["Hello there!</s>", "No.</s>"]],
    ["phi3", ["Hello there!<|end|>", "No.<|end|>"]],
    ["qwen", ["Hello there!<|im_end|>", "No.<|im_end|>"]],
    ["zephyr", ["Hello there!</s>", "No.</s>"]],
  ] as const
) {
  Deno.test(`${name}: every response is supervised with one end token, and nothing else`, async () => {
    const given = setting(name);
    assertEquals((await supervised(given, TALK)).map((text) => text.trimStart()), [...responses]);
    const single = await encodeChats(given.tokenizer, given.chat, [TALK.slice(0, 2)], "error");
    const [prompt] = await encodeChatPrompts(given.tokenizer, given.chat, [TALK.slice(0, 1)]);
    if ("problem" in single[0]! || "problem" in prompt!) throw new TypeError("refused");
    assertEquals(single[0]!.promptIds, prompt!.ids, "generation gets the same prompt as training");
    const { bosId } = given.tokenizer;
    assertEquals(prompt!.ids.filter((id) => id === bosId).length <= 1, true);
  });
}

Deno.test("a built-in template gets BOS once if the tokenizer adds it", async () => {
  for (const template of ["zephyr", "llama3"]) {
    const { tokenizer, chat } = setting("llama3", template);
    const withBos: Tokenizer = { ...tokenizer, prefixIds: [tokenizer.bosId!] };
    const [prompt] = await encodeChatPrompts(withBos, chat, [TALK.slice(0, 1)]);
    if ("problem" in prompt!) throw new TypeError(prompt.problem);
    assertEquals([prompt!.ids[0], prompt!.ids.filter((id) => id === tokenizer.bosId).length], [
      tokenizer.bosId,
      1,
    ]);
  }
});

Deno.test("an empty response is not supervised; an end token in the content is refused", async () => {
  const given = setting("chatml");
  assertEquals(await supervised(given, [...TALK.slice(0, 3), { role: "assistant", content: "" }]), [
    "Hello there!<|im_end|>",
  ]);
  const forged = [TALK[0]!, { role: "assistant", content: "a<|im_end|>b" }];
  assertEquals(await encodeChats(given.tokenizer, given.chat, [forged], "error"), [
    { problem: 'end token "<|im_end|>" inside response 0' },
  ]);
});

Deno.test("a template whose turns do not end with an end token of the model is refused", async () => {
  const { tokenizer } = setting("chatml");
  const chat = setting("chatml", "llama3").chat;
  assertEquals(await encodeChats(tokenizer, chat, [TALK.slice(0, 2)], "error"), [
    { problem: 'response 0 must end with one of the model\'s end tokens "<|im_end|>"' },
  ]);
});

Deno.test("an error raised by the template is the row's problem", async () => {
  const { tokenizer, chat } = setting("gemma");
  const [problem] = await encodeChats(
    tokenizer,
    chat,
    [[{ role: "system", content: "x" }, ...TALK]],
    "error",
  );
  assertEquals(problem, {
    problem: `The chat template of ${GOLDENS}/gemma does not accept the messages: System role not supported`,
  });
});

Deno.test("a token shared by prompt and response is refused, or the response is encoded separately", async () => {
  const { tokenizer } = setting("chatml");
  const source =
    "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}";
  const template = chatTemplate(source, { name: "bare", specialTokens: { eos_token: "<|im_end|>" }, clock });
  const chat = { template, addsPrefix: false };
  const talk = [{ role: "user", content: "Give me th" }, { role: "assistant", content: "e list" }];
  const [refused] = await encodeChats(tokenizer, chat, [talk], "error");
  assertEquals(refused, { problem: 'token " the" spans prompt and response' });
  const [split] = await encodeChats(tokenizer, chat, [talk], "split");
  if ("problem" in split!) throw new TypeError(split.problem);
  assertEquals(split!.isSplit, true);
  assertEquals(tokenizer.decode(split!.promptIds), "Give me th");
  assertEquals(tokenizer.decode(split!.responseIds), "e list<|im_end|>");
});

Deno.test("without a template, a question and its response are plain text, and longer conversations are refused", async () => {
  const tokenizer = loadTokenizer("fixtures/stories260k");
  const contents = [TALK.slice(0, 2), TALK].map((messages) => ({ kind: "chat", messages }) as const);
  const [pair, longer] = await encodeContents(tokenizer, contents, { boundary: "split" });
  if ("problem" in pair!) throw new TypeError(pair.problem);
  assertEquals(tokenizer.decode([...pair!.promptIds, ...pair!.responseIds]), "<s> HiHello there!</s>");
  const problem =
    "a conversation of more than one question and response needs a chat template, and the model has none: use " +
    "--chat_template chatml, llama3, mistral, zephyr, plain or a .jinja file";
  assertEquals(longer, { problem });
  const prompts = await encodePromptContents(tokenizer, [contents[1]!], {});
  assertEquals(prompts, [{ problem }]);
});

Deno.test("a text without a prompt is supervised except for BOS, with one end token", async () => {
  const tokenizer = loadTokenizer("fixtures/stories260k");
  const [text] = await encodeContents(tokenizer, [{ kind: "text", text: "Once upon a time." }], {
    boundary: "error",
    chat: setting("chatml").chat,
  });
  if ("problem" in text!) throw new TypeError(text.problem);
  assertEquals([text!.promptIds, text!.prompt], [[1], ""]);
  assertEquals(tokenizer.decode(text!.responseIds), " Once upon a time.</s>".trimStart());
});

Deno.test("a signal to stop is noticed between two conversations, before all templates are rendered", async () => {
  const { tokenizer, chat } = setting("chatml"), stop = new AbortController();
  let rendered = 0;
  const template = {
    ...chat.template,
    render: (...args: Parameters<typeof chat.template.render>) => {
      rendered++;
      const end = performance.now() + 30;
      while (performance.now() < end);
      return chat.template.render(...args);
    },
  };
  setTimeout(() => stop.abort(), 1);
  const prompts = Array(100).fill(TALK.slice(0, 1));
  await assertRejects(
    () => encodeChatPrompts(tokenizer, { ...chat, template }, prompts, stop.signal),
    TryAgainError,
    "Interrupted",
  );
  assert(rendered < 100, `${rendered}`);
});
