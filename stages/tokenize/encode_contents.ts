/**
 * What rows say, in ids, whatever it is: a question and its answer as plain text, a conversation by a chat template, a text.
 * In: contents. Out: demonstrations and prompts in ids, or what is wrong with a row.
 * @module
 */
import type { Content } from "@/lib/demonstrations/layouts.ts";
import type { Tokenizer } from "@/lib/text/tokenizer.ts";
import {
  type Chat,
  encodeChatPrompts,
  encodeChats,
  type EncodedPrompt,
  type RowProblem,
} from "./encode_chats.ts";
import { type EncodedDemonstration, encodeDemonstrations, encodePrompts, endOnce } from "./encode_rows.ts";

/** How contents become ids. */
export interface ContentEncoding {
  /** undefined: prompts and responses are plain text */
  readonly chat?: Chat | undefined;
  readonly boundary: "error" | "split";
}

type Result = EncodedDemonstration | RowProblem;

/** The demonstrations that `contents` are, in their order. */
export async function encodeContents(
  tokenizer: Tokenizer,
  contents: readonly Content[],
  { chat, boundary }: ContentEncoding,
): Promise<Result[]> {
  const results: Result[] = contents.map(() => needsTemplate());
  const assign = (indices: readonly number[], found: readonly Result[]): void => {
    for (const [k, index] of indices.entries()) results[index] = found[k]!;
  };
  const texts = indicesWhere(contents, ({ kind }) => kind === "text");
  assign(texts, await encodeTexts(tokenizer, texts.map((k) => (contents[k] as { text: string }).text)));
  if (chat !== undefined) {
    const chats = indicesWhere(contents, ({ kind }) => kind === "chat");
    assign(chats, await encodeChats(tokenizer, chat, chats.map((k) => messagesOf(contents[k]!)), boundary));
  } else {
    const plain = indicesWhere(contents, (content) => plainPair(content) !== undefined);
    assign(
      plain,
      await encodeDemonstrations(tokenizer, plain.map((k) => plainPair(contents[k]!)!), boundary),
    );
  }
  return results;
}

/** The prompts that `contents` are, in their order. */
export async function encodePromptContents(
  tokenizer: Tokenizer,
  contents: readonly Content[],
  { chat }: Pick<ContentEncoding, "chat">,
): Promise<(EncodedPrompt | RowProblem)[]> {
  if (chat !== undefined) return await encodeChatPrompts(tokenizer, chat, contents.map(messagesOf));
  const texts = contents.map(plainPrompt);
  const ids = await encodePrompts(tokenizer, texts.map((text) => text ?? ""));
  return texts.map((text, k) => text === undefined ? needsTemplate() : { text, ids: ids[k]! });
}

/** A number of characters that `content` surely has in ids. */
export function textOf(content: Content): string {
  if (content.kind === "text") return content.text;
  return content.messages.map(({ content }) => typeof content === "string" ? content : "").join("");
}

/** Texts by themselves: all of it is learned but BOS, or the first token where there is no BOS. */
async function encodeTexts(tokenizer: Tokenizer, texts: readonly string[]): Promise<Result[]> {
  const encoded = await encodePrompts(tokenizer, texts);
  return encoded.map((ids, k) => {
    const known = Math.max(1, tokenizer.prefixIds.length);
    const ended = endOnce(tokenizer, ids.slice(known));
    if ("problem" in ended) return ended;
    const [prompt, promptIds] = ["", ids.slice(0, known)];
    return { prompt, response: texts[k]!, promptIds, responseIds: ended.ids, isSplit: false };
  });
}

function plainPair(content: Content): { readonly prompt: string; readonly response: string } | undefined {
  if (content.kind !== "chat" || content.messages.length !== 2) return undefined;
  const [asked, answer] = content.messages;
  if (asked!.role !== "user" || answer!.role !== "assistant") return undefined;
  if (typeof asked!.content !== "string" || typeof answer!.content !== "string") return undefined;
  return { prompt: asked!.content, response: answer!.content };
}

function plainPrompt(content: Content): string | undefined {
  if (content.kind === "text") return content.text;
  const [asked, ...more] = content.messages;
  const isPlain = more.length === 0 && asked?.role === "user" && typeof asked.content === "string";
  return isPlain ? asked.content as string : undefined;
}

function messagesOf(content: Content) {
  return content.kind === "chat" ? content.messages : [{ role: "user", content: content.text }];
}

function needsTemplate(): RowProblem {
  return {
    problem:
      "a conversation of more than a question and an answer, for which the model has no chat template: " +
      "--chat_template chatml, llama3, mistral, zephyr, plain or a .jinja file",
  };
}

function indicesWhere(contents: readonly Content[], isWanted: (content: Content) => boolean): number[] {
  return contents.flatMap((content, k) => isWanted(content) ? [k] : []);
}
