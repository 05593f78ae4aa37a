/**
 * Texts to ids: a prompt begins with what the tokenizer's template puts there (BOS) exactly once, a response is encoded in its
 * prompt's context and ends with exactly one end token. In: texts. Out: ids, and what was wrong.
 * @module
 */
import type { Tokenizer } from "@/lib/text/tokenizer.ts";

/** A demonstration in ids: the model sees both, and learns the response. */
export interface EncodedDemonstration {
  readonly promptIds: readonly number[];
  /** ends with one end token */
  readonly responseIds: readonly number[];
  /** prompt and response share a token when encoded together, so the response was encoded by itself */
  readonly isSplit: boolean;
}

/** Ids of a prompt. A prompt that writes the template's prefix itself ("<s>…") does not get it twice. */
export function encodePrompt(tokenizer: Tokenizer, prompt: string): number[] {
  return withPrefix(tokenizer, tokenizer.encode(prompt, { special: false }));
}

/**
 * Ids of a demonstration, or what keeps it from being one.
 * @param boundary what a token shared by prompt and response means; see the parameter of that name
 */
export function encodeDemonstration(
  tokenizer: Tokenizer,
  row: { readonly prompt: string; readonly response: string },
  boundary: "error" | "split",
): EncodedDemonstration | { readonly problem: string } {
  const prompt = tokenizer.encode(row.prompt, { special: false });
  const both = tokenizer.encode(row.prompt + row.response, { special: false });
  const isPrefix = prompt.every((id, k) => both[k] === id);
  if (!isPrefix && boundary === "error") {
    const k = prompt.findIndex((id, at) => both[at] !== id);
    const shared = tokenizer.decode([both[k] ?? -1]);
    return { problem: `token ${JSON.stringify(shared)} reaches from the prompt into the response` };
  }
  const response = isPrefix
    ? both.subarray(prompt.length)
    : tokenizer.encode(row.response, { special: false });
  const ended = endOnce(tokenizer, [...response]);
  return "problem" in ended
    ? ended
    : { promptIds: withPrefix(tokenizer, prompt), responseIds: ended.ids, isSplit: !isPrefix };
}

/**
 * `response` with exactly one end token, at its end. One that it ends with already stays as it is.
 * @returns the ids, or what is wrong: an end token further inside, or nothing but an end
 */
export function endOnce(
  tokenizer: Pick<Tokenizer, "eosIds" | "decode">,
  response: readonly number[],
): { readonly ids: readonly number[] } | { readonly problem: string } {
  const { eosIds } = tokenizer;
  const isEnded = response.length > 0 && eosIds.includes(response[response.length - 1]!);
  const body = isEnded ? response.slice(0, -1) : response;
  const inside = body.find((id) => eosIds.includes(id));
  if (inside !== undefined) {
    return { problem: `end token ${JSON.stringify(tokenizer.decode([inside]))} inside the response` };
  }
  if (body.length === 0) return { problem: "the response has no token but its end" };
  return { ids: isEnded ? response : [...response, eosIds[0]!] };
}

/** How many ids at the start of `promptIds` are the template's prefix. */
export function prefixLength(tokenizer: Pick<Tokenizer, "prefixIds">, promptIds: readonly number[]): number {
  const { prefixIds } = tokenizer;
  return prefixIds.every((id, k) => promptIds[k] === id) ? prefixIds.length : 0;
}

function withPrefix(tokenizer: Pick<Tokenizer, "prefixIds">, ids: Int32Array): number[] {
  const { prefixIds } = tokenizer;
  return prefixIds.every((id, k) => ids[k] === id) ? [...ids] : [...prefixIds, ...ids];
}
