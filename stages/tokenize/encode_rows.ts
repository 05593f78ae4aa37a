/**
 * Encodes texts: a prompt begins with the prefix of the tokenizer's template (BOS) exactly once; a response is encoded
 * together with its prompt and ends with exactly one end token.
 * @module
 */
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";

/** A demonstration in ids; the response is supervised. */
export interface EncodedDemonstration {
  /** text of the prompt; "" for a text without a prompt */
  readonly prompt: string;
  /** text of the (first) response */
  readonly response: string;
  readonly promptIds: readonly number[];
  /** all ids from the first supervised one on; ends with one end token, unless a template writes more after it */
  readonly responseIds: readonly number[];
  /** 1 = supervised; undefined: all of `responseIds` are */
  readonly responseMask?: Uint8Array | undefined;
  /** whether the response was encoded separately, since it shares a token with its prompt */
  readonly isSplit: boolean;
}

/** The problem of a row. */
export interface EncodingProblem {
  readonly problem: string;
}

/** Returns the ids of prompts. A prompt whose text begins with the template's prefix ("<s>…") does not get it twice. */
export async function encodePrompts(tokenizer: Tokenizer, prompts: readonly string[]): Promise<number[][]> {
  const encoded = await tokenizer.encodeAll(prompts, { special: false });
  return encoded.map((ids) => withPrefix(tokenizer, ids));
}

/**
 * Returns the ids of demonstrations, or their problems.
 * @param boundary see the parameter of that name
 */
export async function encodeDemonstrations(
  tokenizer: Tokenizer,
  rows: readonly { readonly prompt: string; readonly response: string }[],
  boundary: "error" | "split",
): Promise<(EncodedDemonstration | EncodingProblem)[]> {
  const encode = (texts: readonly string[]) => tokenizer.encodeAll(texts, { special: false });
  const prompts = await encode(rows.map(({ prompt }) => prompt));
  const texts = await encode(rows.map(({ prompt, response }) => prompt + response));
  const alone = boundary === "split" ? await encode(rows.map(({ response }) => response)) : [];
  return rows.map(({ prompt, response }, k) => {
    const ids = joined(tokenizer, { prompt: prompts[k]!, both: texts[k]!, response: alone[k] });
    return "problem" in ids ? ids : { prompt, response, ...ids };
  });
}

/** Returns a demonstration from the ids of its prompt and of the whole text; `response` is undefined without splits. */
function joined(
  tokenizer: Tokenizer,
  { prompt, both, response: alone }: {
    readonly prompt: Int32Array;
    readonly both: Int32Array;
    readonly response: Int32Array | undefined;
  },
): Omit<EncodedDemonstration, "prompt" | "response"> | EncodingProblem {
  const isPrefix = prompt.every((id, k) => both[k] === id);
  if (!isPrefix && alone === undefined) {
    const k = prompt.findIndex((id, at) => both[at] !== id);
    return spanningToken(tokenizer, both[k]);
  }
  const response = isPrefix ? both.subarray(prompt.length) : alone!;
  const ended = endOnce(tokenizer, [...response]);
  return "problem" in ended
    ? ended
    : { promptIds: withPrefix(tokenizer, prompt), responseIds: ended.ids, isSplit: !isPrefix };
}

/** Returns the problem of a token that contains the end of a prompt and the beginning of its response. */
export function spanningToken(tokenizer: Pick<Tokenizer, "decode">, id = -1): EncodingProblem {
  return { problem: `token ${JSON.stringify(tokenizer.decode([id]))} spans prompt and response` };
}

/** Returns `response` with exactly one end token at its end, or the problem: an end token inside, or no other token. */
export function endOnce(
  tokenizer: Pick<Tokenizer, "eosIds" | "decode">,
  response: readonly number[],
): { readonly ids: readonly number[] } | EncodingProblem {
  const { eosIds } = tokenizer;
  const isEnded = response.length > 0 && eosIds.includes(response[response.length - 1]!);
  const body = isEnded ? response.slice(0, -1) : response;
  const inside = body.find((id) => eosIds.includes(id));
  if (inside !== undefined) {
    return { problem: `end token ${JSON.stringify(tokenizer.decode([inside]))} inside the response` };
  }
  if (body.length === 0) return { problem: "the response has no token except its end" };
  return { ids: isEnded ? response : [...response, eosIds[0]!] };
}

/** Returns how many ids at the start of `promptIds` are the template's prefix. */
export function prefixLength(tokenizer: Pick<Tokenizer, "prefixIds">, promptIds: readonly number[]): number {
  const { prefixIds } = tokenizer;
  return prefixIds.every((id, k) => promptIds[k] === id) ? prefixIds.length : 0;
}

/** Returns `ids` after the template's prefix, which is not added twice. */
export function withPrefix({ prefixIds }: Pick<Tokenizer, "prefixIds">, ids: Iterable<number>): number[] {
  const given = [...ids];
  return prefixIds.every((id, k) => given[k] === id) ? given : [...prefixIds, ...given];
}
