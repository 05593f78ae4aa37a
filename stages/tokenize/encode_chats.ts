/**
 * Conversations to ids by a chat template: what the assistant wrote is learned, each answer with exactly one end token, and
 * nothing else. In: messages. Out: ids and masks, or what keeps a conversation from being learned.
 * @module
 */
import { assistantText, maskOfSpans } from "@/lib/text/assistant_mask.ts";
import type { ChatTemplate, Message, Span } from "@/lib/text/chat_template.ts";
import type { Encoded, Tokenizer } from "@/lib/text/tokenizer.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { EncodedDemonstration } from "./encode_rows.ts";

/** A template, and whether the tokenizer's own prefix (BOS) goes before what it writes. */
export interface Chat {
  readonly template: ChatTemplate;
  /** for templates that are not the model's own; one that writes BOS itself does not get it twice */
  readonly addsPrefix: boolean;
}

/** A prompt as the model is asked it. */
export interface EncodedPrompt {
  readonly text: string;
  readonly ids: readonly number[];
}

/** What is wrong with a row. */
export interface RowProblem {
  readonly problem: string;
}

/** Ids of conversations that wait for an answer. */
export async function encodeChatPrompts(
  tokenizer: Tokenizer,
  chat: Chat,
  conversations: readonly (readonly Message[])[],
): Promise<(EncodedPrompt | RowProblem)[]> {
  const texts = conversations.map((messages) =>
    refused(() => ({ text: chat.template.render(messages, { addGenerationPrompt: true }).text }))
  );
  const encoded = await tokenizer.encodeAll(texts.map((it) => "text" in it ? it.text : ""), {
    special: false,
  });
  return texts.map((it, k) =>
    "problem" in it ? it : { text: it.text, ids: prefixed(tokenizer, chat, [...encoded[k]!]) }
  );
}

/**
 * Ids and masks of conversations. The prompt is what stands before the first answer.
 * @param boundary what a token shared by a prompt and its answer means; see the parameter of that name
 */
export async function encodeChats(
  tokenizer: Tokenizer,
  chat: Chat,
  conversations: readonly (readonly Message[])[],
  boundary: "error" | "split",
): Promise<(EncodedDemonstration | RowProblem)[]> {
  const texts = conversations.map((messages) => refused(() => assistantText(chat.template, messages)));
  const whole = await tokenizer.encodeWithPlaces(texts.map((it) => "text" in it ? it.text : ""));
  const starts = texts.map((it) => "text" in it ? it.text.slice(0, it.spans[0]?.start ?? 0) : "");
  const prompts = await tokenizer.encodeAll(starts, { special: false });
  return await Promise.all(texts.map(async (it, k) => {
    if ("problem" in it) return it;
    if (it.spans.length === 0) return { problem: "the template writes no answer of an assistant" };
    const shared = sharedToken(whole[k]!, it.spans, prompts[k]!);
    if (shared !== undefined && boundary === "error") {
      const token = JSON.stringify(tokenizer.decode([whole[k]!.ids[shared] ?? -1]));
      return { problem: `token ${token} reaches from the prompt into the response` };
    }
    const encoded = shared === undefined ? whole[k]! : await encodeInPieces(tokenizer, it.text, it.spans);
    const conversation = conversations[k]!;
    const answers = conversation.filter(({ role }) => role === "assistant").map(({ content }) => content);
    const mask = learnedMask(tokenizer, { encoded, text: it.text, spans: it.spans, answers });
    if ("problem" in mask) return mask;
    const first = mask.indexOf(1);
    const at = first < 0 ? encoded.ids.length : first;
    const [answer] = answers;
    return {
      prompt: it.text.slice(0, it.spans[0]!.start),
      response: typeof answer === "string" ? answer : "",
      promptIds: prefixed(tokenizer, chat, [...encoded.ids.subarray(0, at)]),
      responseIds: [...encoded.ids.subarray(at)],
      responseMask: mask.subarray(at),
      isSplit: shared !== undefined,
    };
  }));
}

/** Index of the first token that stands on both sides of an answer's beginning, or of the first that the prompt alone lacks. */
function sharedToken(
  { ids, starts, ends }: Encoded,
  spans: readonly Span[],
  prompt: Int32Array,
): number | undefined {
  for (const { start } of spans) {
    const at = starts.findIndex((begin, k) => begin < start && ends[k]! > start);
    if (at >= 0) return at;
  }
  const at = prompt.findIndex((id, k) => ids[k] !== id);
  return at < 0 ? undefined : at;
}

/** Ids of a text whose answers are encoded by themselves. */
async function encodeInPieces(tokenizer: Tokenizer, text: string, spans: readonly Span[]): Promise<Encoded> {
  const cuts = [0, ...spans.flatMap(({ start, end }) => [start, end]), text.length];
  const pieces = cuts.slice(1).map((end, k) => ({ start: cuts[k]!, text: text.slice(cuts[k]!, end) }));
  const encoded = await tokenizer.encodeWithPlaces(pieces.map((piece) => piece.text));
  const joined = (part: (one: Encoded, start: number) => readonly number[]): Int32Array<ArrayBuffer> =>
    Int32Array.from(encoded.flatMap((one, k) => part(one, pieces[k]!.start)));
  return {
    ids: joined(({ ids }) => [...ids]),
    starts: joined(({ starts }, start) => Array.from(starts, (at) => at + start)),
    ends: joined(({ ends }, start) => Array.from(ends, (at) => at + start)),
  };
}

/**
 * The mask of all answers, each up to its end token: what a template writes behind it (a line end) is not learned. An end
 * token that follows the span directly is; an answer that is nothing but its end is not.
 */
function learnedMask(
  tokenizer: Tokenizer,
  { encoded, text, spans, answers }: {
    readonly encoded: Encoded;
    readonly text: string;
    readonly spans: readonly Span[];
    /** what the assistant said, answer by answer */
    readonly answers: readonly unknown[];
  },
): Uint8Array<ArrayBuffer> | RowProblem {
  const { ids } = encoded;
  const learned = new Uint8Array(ids.length);
  for (const [k, span] of spans.entries()) {
    const mask = maskOfSpans(encoded, [span]);
    const start = mask.indexOf(1), stop = mask.lastIndexOf(1) + 1;
    if (start < 0) continue;
    const isEnd = (id: number | undefined): boolean => id !== undefined && tokenizer.eosIds.includes(id);
    const inside = ids.subarray(start, stop).findIndex(isEnd);
    if (inside < 0 && !isEnd(ids[stop])) {
      const ends = tokenizer.eosIds.map((id) => JSON.stringify(tokenizer.decode([id]))).join(", ");
      return { problem: `answer ${k} ends with none of the model's end tokens ${ends}` };
    }
    const end = inside < 0 ? stop : start + inside;
    // The end must stand behind what was said: one that the content writes itself would end the answer too early.
    const said = typeof answers[k] === "string" && spans.length === answers.length
      ? answers[k].trim()
      : undefined;
    const at = said === undefined ? -1 : text.slice(span.start, span.end).indexOf(said);
    const isInside = at < 0
      ? ids.subarray(end + 1, stop).some(isEnd)
      : end < ids.length && encoded.starts[end]! < span.start + at + said!.length;
    if (isInside) {
      return { problem: `end token ${JSON.stringify(tokenizer.decode([ids[end]!]))} inside answer ${k}` };
    }
    if (end > start) learned.fill(1, start, end + 1);
  }
  return learned;
}

function prefixed(tokenizer: Tokenizer, { addsPrefix }: Chat, ids: readonly number[]): readonly number[] {
  const { prefixIds } = tokenizer;
  const isThere = prefixIds.every((id, k) => ids[k] === id);
  return addsPrefix && !isThere ? [...prefixIds, ...ids] : ids;
}

/** What `render` gives, or what the template raised. */
function refused<T>(render: () => T): T | RowProblem {
  try {
    return render();
  } catch (error) {
    if (error instanceof DataError) return { problem: error.message };
    throw error;
  }
}
