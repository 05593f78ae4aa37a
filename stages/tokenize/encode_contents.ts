/**
 * Encodes the contents of rows: a question and its response as plain text, a conversation by a chat template, or a text.
 * @module
 */
import type { Content } from "@/lib/data/demonstrations/layouts.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import { type Chat, encodeChatPrompts, encodeChats, type EncodedPrompt } from "./encode_chats.ts";
import {
  type EncodedDemonstration,
  encodeDemonstrations,
  encodePrompts,
  type EncodingProblem,
  endOnce,
} from "./encode_rows.ts";

/** Settings of the encoding. */
export interface ContentEncoding {
  /** undefined: prompts and responses are plain text */
  readonly chat?: Chat | undefined;
  readonly boundary: "error" | "split";
  /** stops between two conversations when it is aborted */
  readonly signal?: AbortSignal | undefined;
}

type Result = EncodedDemonstration | EncodingProblem;

/** Returns `contents` as demonstrations, in their order. */
export async function encodeContents(
  tokenizer: Tokenizer,
  contents: readonly Content[],
  { chat, boundary, signal }: ContentEncoding,
): Promise<Result[]> {
  const results: Result[] = contents.map(() => needsTemplate());
  const assign = (indices: readonly number[], found: readonly Result[]): void => {
    for (const [k, index] of indices.entries()) results[index] = found[k]!;
  };
  const texts = indicesWhere(contents, ({ kind }) => kind === "text");
  assign(texts, await encodeTexts(tokenizer, texts.map((k) => (contents[k] as { text: string }).text)));
  if (chat !== undefined) {
    const chats = indicesWhere(contents, ({ kind }) => kind === "chat");
    const conversations = chats.map((k) => messagesOf(contents[k]!));
    assign(chats, await encodeChats(tokenizer, chat, conversations, boundary, signal));
  } else {
    const plain = indicesWhere(contents, (content) => plainPair(content) !== undefined);
    const pairs = plain.map((k) => plainPair(contents[k]!)!);
    assign(plain, await encodeDemonstrations(tokenizer, pairs, boundary));
  }
  return results;
}

/** Returns `contents` as prompts, in their order. */
export async function encodePromptContents(
  tokenizer: Tokenizer,
  contents: readonly Content[],
  { chat, signal }: Pick<ContentEncoding, "chat" | "signal">,
): Promise<(EncodedPrompt | EncodingProblem)[]> {
  if (chat !== undefined) return await encodeChatPrompts(tokenizer, chat, contents.map(messagesOf), signal);
  const texts = contents.map(plainPrompt);
  const ids = await encodePrompts(tokenizer, texts.map((text) => text ?? ""));
  return texts.map((text, k) => text === undefined ? needsTemplate() : { text, ids: ids[k]! });
}

/** Returns the text of `content` without a template, for a lower bound of its length. */
export function textOf(content: Content): string {
  if (content.kind === "text") return content.text;
  return content.messages.map(({ content }) => typeof content === "string" ? content : "").join("");
}

/** Returns texts without prompts: all of a text is supervised except BOS, or the first token without BOS. */
async function encodeTexts(tokenizer: Tokenizer, texts: readonly string[]): Promise<Result[]> {
  const encoded = await encodePrompts(tokenizer, texts);
  return encoded.map((ids, k) => {
    const start = Math.max(1, tokenizer.prefixIds.length);
    const ended = endOnce(tokenizer, ids.slice(start));
    if ("problem" in ended) return ended;
    const promptIds = ids.slice(0, start);
    return { prompt: "", response: texts[k]!, promptIds, responseIds: ended.ids, isSplit: false };
  });
}

function plainPair(content: Content): { readonly prompt: string; readonly response: string } | undefined {
  if (content.kind !== "chat" || content.messages.length !== 2) return undefined;
  const [question, reply] = content.messages;
  if (question!.role !== "user" || reply!.role !== "assistant") return undefined;
  if (typeof question!.content !== "string" || typeof reply!.content !== "string") return undefined;
  return { prompt: question!.content, response: reply!.content };
}

function plainPrompt(content: Content): string | undefined {
  if (content.kind === "text") return content.text;
  const [question, ...more] = content.messages;
  const isPlain = more.length === 0 && question?.role === "user" && typeof question.content === "string";
  return isPlain ? question.content as string : undefined;
}

function messagesOf(content: Content) {
  return content.kind === "chat" ? content.messages : [{ role: "user", content: content.text }];
}

function needsTemplate(): EncodingProblem {
  return {
    problem:
      "a conversation of more than one question and response needs a chat template, and the model has none: use " +
      "--chat_template chatml, llama3, mistral, zephyr, plain or a .jinja file",
  };
}

function indicesWhere(contents: readonly Content[], isWanted: (content: Content) => boolean): number[] {
  return contents.flatMap((content, k) => isWanted(content) ? [k] : []);
}
