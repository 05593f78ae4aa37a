/**
 * Encodes conversations by a chat template. The responses of the assistant are supervised, each with exactly one end token,
 * and nothing else.
 * @module
 */
import { assistantText, maskOfSpans } from "@/lib/data/text/assistant_mask.ts";
import type { ChatTemplate, Message, Span } from "@/lib/data/text/chat_template.ts";
import { TemplateBudgetError } from "@/lib/data/text/template_budget.ts";
import type { Encoded, Tokenizer } from "@/lib/data/text/tokenizer.ts";
import { DataError, throwIfInterrupted } from "@/lib/compute/tensor/errors.ts";
import { runYielding, type Work } from "@/lib/model/train/event_loop.ts";
import { type EncodedDemonstration, type EncodingProblem, spanningToken, withPrefix } from "./encode_rows.ts";

/** A template, and whether the tokenizer's prefix (BOS) is added before its text. */
export interface Chat {
  readonly template: ChatTemplate;
  /** true for templates that are not the model's own; BOS is never added twice */
  readonly addsPrefix: boolean;
}

/** A prompt as text and ids. */
export interface EncodedPrompt {
  readonly text: string;
  readonly ids: readonly number[];
}

/** Returns conversations as prompts that end where a response begins. */
export async function encodeChatPrompts(
  tokenizer: Tokenizer,
  chat: Chat,
  conversations: readonly (readonly Message[])[],
  signal?: AbortSignal,
): Promise<(EncodedPrompt | EncodingProblem)[]> {
  const texts = await renderAll(
    conversations,
    (messages) => ({ text: chat.template.render(messages, { addGenerationPrompt: true }).text }),
    signal,
  );
  const contents = texts.map((it) => "text" in it ? it.text : "");
  const encoded = await tokenizer.encodeAll(contents, { special: false });
  return texts.map((it, k) =>
    "problem" in it ? it : { text: it.text, ids: prefixed(tokenizer, chat, encoded[k]!) }
  );
}

/**
 * Returns ids and masks of conversations. The prompt is everything before the first response.
 * @param boundary see the parameter of that name
 * @throws {TryAgainError} if `signal` is aborted
 */
export async function encodeChats(
  tokenizer: Tokenizer,
  chat: Chat,
  conversations: readonly (readonly Message[])[],
  boundary: "error" | "split",
  signal?: AbortSignal,
): Promise<(EncodedDemonstration | EncodingProblem)[]> {
  const texts = await renderAll(
    conversations,
    (messages) => assistantText(chat.template, messages),
    signal,
  );
  const whole = await tokenizer.encodeWithPlaces(texts.map((it) => "text" in it ? it.text : ""));
  const starts = texts.map((it) => "text" in it ? it.text.slice(0, it.spans[0]?.start ?? 0) : "");
  const prompts = await tokenizer.encodeAll(starts, { special: false });
  return await Promise.all(texts.map(async (it, k) => {
    if ("problem" in it) return it;
    if (it.spans.length === 0) return { problem: "the template writes no response of the assistant" };
    const shared = sharedToken(whole[k]!, it.spans, prompts[k]!);
    if (shared !== undefined && boundary === "error") return spanningToken(tokenizer, whole[k]!.ids[shared]);
    const encoded = shared === undefined ? whole[k]! : await encodeInPieces(tokenizer, it.text, it.spans);
    const messages = conversations[k]!.filter(({ role }) => role === "assistant");
    const responses = messages.map(({ content }) => content);
    const mask = supervisedMask(tokenizer, { encoded, text: it.text, spans: it.spans, responses });
    if ("problem" in mask) return mask;
    const first = mask.indexOf(1);
    const at = first < 0 ? encoded.ids.length : first;
    const [response] = responses;
    return {
      prompt: it.text.slice(0, it.spans[0]!.start),
      response: typeof response === "string" ? response : "",
      promptIds: prefixed(tokenizer, chat, encoded.ids.subarray(0, at)),
      responseIds: [...encoded.ids.subarray(at)],
      responseMask: mask.subarray(at),
      isSplit: shared !== undefined,
    };
  }));
}

/** Returns the index of the first token on both sides of a response's beginning, or that differs from the prompt's own. */
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

/** Returns the ids of a text whose responses are encoded separately. */
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
 * Returns the mask of all responses, each with its end token. Text that a template writes after the end token (a line end) is
 * not supervised; an end token directly after the span is. A response that is only an end token is not supervised.
 */
function supervisedMask(
  tokenizer: Tokenizer,
  { encoded, text, spans, responses }: {
    readonly encoded: Encoded;
    readonly text: string;
    readonly spans: readonly Span[];
    /** contents of the assistant's messages */
    readonly responses: readonly unknown[];
  },
): Uint8Array<ArrayBuffer> | EncodingProblem {
  const { ids } = encoded;
  const supervised = new Uint8Array(ids.length);
  for (const [k, span] of spans.entries()) {
    const mask = maskOfSpans(encoded, [span]);
    const start = mask.indexOf(1), stop = mask.lastIndexOf(1) + 1;
    if (start < 0) continue;
    const isEnd = (id: number | undefined): boolean => id !== undefined && tokenizer.eosIds.includes(id);
    const inside = ids.subarray(start, stop).findIndex(isEnd);
    if (inside < 0 && !isEnd(ids[stop])) {
      const ends = tokenizer.eosIds.map((id) => JSON.stringify(tokenizer.decode([id]))).join(", ");
      return { problem: `response ${k} must end with one of the model's end tokens ${ends}` };
    }
    const end = inside < 0 ? stop : start + inside;
    // The end token must follow the content: one inside the content would end the response too early.
    const response = responses[k];
    const content = typeof response === "string" && spans.length === responses.length
      ? response.trim()
      : undefined;
    const at = content === undefined ? -1 : text.slice(span.start, span.end).indexOf(content);
    const isInside = at < 0
      ? ids.subarray(end + 1, stop).some(isEnd)
      : end < ids.length && encoded.starts[end]! < span.start + at + content!.length;
    if (isInside) {
      return { problem: `end token ${JSON.stringify(tokenizer.decode([ids[end]!]))} inside response ${k}` };
    }
    if (end > start) supervised.fill(1, start, end + 1);
  }
  return supervised;
}

function prefixed(tokenizer: Tokenizer, { addsPrefix }: Chat, ids: Int32Array): readonly number[] {
  return addsPrefix ? withPrefix(tokenizer, ids) : [...ids];
}

/**
 * Returns the results of `render`, or the errors that the template raised. A row may take a second (see `TemplateBudget`), so
 * the event loop has a turn between rows, in which a signal to stop is noticed.
 * @throws {TryAgainError} if `signal` is aborted
 */
async function renderAll<T>(
  conversations: readonly (readonly Message[])[],
  render: (messages: readonly Message[]) => T,
  signal?: AbortSignal,
): Promise<(T | EncodingProblem)[]> {
  function* work(): Work<(T | EncodingProblem)[]> {
    const results: (T | EncodingProblem)[] = [];
    for (const messages of conversations) {
      if (signal !== undefined) throwIfInterrupted(signal);
      results.push(orProblem(() => render(messages)));
      yield;
    }
    return results;
  }
  return await runYielding(work());
}

/** Returns the result of `render`, or the error that the template raised. */
function orProblem<T>(render: () => T): T | EncodingProblem {
  try {
    return render();
  } catch (error) {
    // Its budget does not depend on the row: other rows would take as long.
    if (error instanceof DataError && !(error instanceof TemplateBudgetError)) {
      return { problem: error.message };
    }
    throw error;
  }
}
