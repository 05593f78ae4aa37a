/** Conversations by chat templates: what is learned, and what is refused. @module */
import { assertEquals } from "@std/assert";
import { chatTemplate, type Message } from "@/lib/text/chat_template.ts";
import { loadChatTemplate } from "@/lib/text/load_chat_template.ts";
import { loadTokenizer, type Tokenizer } from "@/lib/text/tokenizer.ts";
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

/** The learned runs of a conversation, as texts. */
async function learned(
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
  const [name, answers] of [
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
  Deno.test(`${name}: every answer is learned with one end, and nothing else`, async () => {
    const given = setting(name);
    assertEquals((await learned(given, TALK)).map((text) => text.trimStart()), [...answers]);
    const single = await encodeChats(given.tokenizer, given.chat, [TALK.slice(0, 2)], "error");
    const [prompt] = await encodeChatPrompts(given.tokenizer, given.chat, [TALK.slice(0, 1)]);
    if ("problem" in single[0]! || "problem" in prompt!) throw new TypeError("refused");
    assertEquals(single[0]!.promptIds, prompt!.ids, "generation is asked what training has seen");
    const { bosId } = given.tokenizer;
    assertEquals(prompt!.ids.filter((id) => id === bosId).length <= 1, true);
  });
}

Deno.test("a built-in template gets BOS once where the tokenizer would write it", async () => {
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

Deno.test("an answer that is empty is not learned; an end that the content writes is refused", async () => {
  const given = setting("chatml");
  assertEquals(await learned(given, [...TALK.slice(0, 3), { role: "assistant", content: "" }]), [
    "Hello there!<|im_end|>",
  ]);
  const forged = [TALK[0]!, { role: "assistant", content: "a<|im_end|>b" }];
  assertEquals(await encodeChats(given.tokenizer, given.chat, [forged], "error"), [
    { problem: 'end token "<|im_end|>" inside answer 0' },
  ]);
});

Deno.test("a template whose turns end with no end token of the model is refused, not learned without end", async () => {
  const { tokenizer } = setting("chatml");
  const chat = setting("chatml", "llama3").chat;
  assertEquals(await encodeChats(tokenizer, chat, [TALK.slice(0, 2)], "error"), [
    { problem: 'answer 0 ends with none of the model\'s end tokens "<|im_end|>"' },
  ]);
});

Deno.test("what a template raises is the row's problem", async () => {
  const { tokenizer, chat } = setting("gemma");
  const [problem] = await encodeChats(
    tokenizer,
    chat,
    [[{ role: "system", content: "x" }, ...TALK]],
    "error",
  );
  assertEquals(problem, {
    problem: `Cannot render messages with the chat template of ${GOLDENS}/gemma as it must accept them: ` +
      "System role not supported",
  });
});

Deno.test("a token shared by prompt and answer is refused, or the answer is encoded by itself", async () => {
  const { tokenizer } = setting("chatml");
  const source =
    "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}";
  const template = chatTemplate(source, { name: "bare", specialTokens: { eos_token: "<|im_end|>" }, clock });
  const chat = { template, addsPrefix: false };
  const talk = [{ role: "user", content: "Give me th" }, { role: "assistant", content: "e list" }];
  const [refused] = await encodeChats(tokenizer, chat, [talk], "error");
  assertEquals(refused, { problem: 'token " the" reaches from the prompt into the response' });
  const [split] = await encodeChats(tokenizer, chat, [talk], "split");
  if ("problem" in split!) throw new TypeError(split.problem);
  assertEquals(split!.isSplit, true);
  assertEquals(tokenizer.decode(split!.promptIds), "Give me th");
  assertEquals(tokenizer.decode(split!.responseIds), "e list<|im_end|>");
});

Deno.test("without a template, a question and its answer are plain text, and longer conversations are refused", async () => {
  const tokenizer = loadTokenizer("fixtures/stories260k");
  const contents = [TALK.slice(0, 2), TALK].map((messages) => ({ kind: "chat", messages }) as const);
  const [pair, longer] = await encodeContents(tokenizer, contents, { boundary: "split" });
  if ("problem" in pair!) throw new TypeError(pair.problem);
  assertEquals(tokenizer.decode([...pair!.promptIds, ...pair!.responseIds]), "<s> HiHello there!</s>");
  const problem =
    "a conversation of more than a question and an answer, for which the model has no chat template: " +
    "--chat_template chatml, llama3, mistral, zephyr, plain or a .jinja file";
  assertEquals(longer, { problem });
  const prompts = await encodePromptContents(tokenizer, [contents[1]!], {});
  assertEquals(prompts, [{ problem }]);
});

Deno.test("a text by itself is learned whole, BOS aside, with one end", async () => {
  const tokenizer = loadTokenizer("fixtures/stories260k");
  const [text] = await encodeContents(tokenizer, [{ kind: "text", text: "Once upon a time." }], {
    boundary: "error",
    chat: setting("chatml").chat,
  });
  if ("problem" in text!) throw new TypeError(text.problem);
  assertEquals([text!.promptIds, text!.prompt], [[1], ""]);
  assertEquals(tokenizer.decode(text!.responseIds), " Once upon a time.</s>".trimStart());
});
