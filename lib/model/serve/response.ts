/** One response in progress: a sequence of the running batch with its text and scores. @module */
import { type Key, makeKey } from "@/lib/compute/random/uniform.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import type { RunningSequence } from "@/lib/model/generate/running_batch.ts";
import type { CompletionChoice, CompletionFinish, CompletionRequest, TokenScore } from "./completion.ts";
import { TextStream } from "./text_stream.ts";
import type { TokenText } from "./token_texts.ts";
import { logSumExp, type ScoredToken, topTokens } from "./top_tokens.ts";

/** What a response needs beside its request. */
export interface ResponseSetting {
  readonly tokenizer: Pick<Tokenizer, "decode" | "eosIds">;
  readonly textOf: TokenText;
  readonly index: number;
  readonly ids: Int32Array;
  /** number among the responses to the prompt */
  readonly sample: number;
  readonly maxTokens: number;
  /** length of the echoed text before it */
  readonly offset: number;
  readonly isCancelled: () => boolean;
  /** called with a new part of the text */
  readonly onPart: (part: CompletionChoice) => void;
  readonly onEnd: () => void;
}

/** A response in progress. */
export class ResponseInProgress implements RunningSequence {
  readonly ids: Int32Array;
  readonly sampling;
  readonly key: Key;
  readonly isCancelled: () => boolean;
  readonly #stream: TextStream;
  readonly #scores: TokenScore[] = [];
  readonly #ends: ReadonlySet<number>;
  /** scores that were not yet passed on */
  #sent = 0;
  /** ids so far, end token included */
  readonly #drawn: number[] = [];
  #reason: CompletionFinish | null = null;

  constructor(readonly request: CompletionRequest, readonly setting: ResponseSetting) {
    this.ids = setting.ids;
    this.sampling = request.sampling;
    this.key = makeKey(request.seed, "rollout", String(setting.sample));
    this.isCancelled = setting.isCancelled;
    this.#stream = new TextStream(setting.tokenizer, setting.ids, request.stops);
    this.#ends = new Set(request.ignoreEos ? [] : setting.tokenizer.eosIds);
  }

  /** Number of tokens so far, end token included. */
  get tokens(): number {
    return this.#drawn.length;
  }

  /** The whole response. */
  get choice(): CompletionChoice {
    const { logprobs, returnIds } = this.request;
    return {
      index: this.setting.index,
      text: this.#stream.text,
      ...(logprobs !== null && { scores: this.#scoresUntil(true) }),
      ...(returnIds && { ids: { prompt: Array.from(this.ids), response: this.#drawn } }),
      finishReason: this.#reason,
    };
  }

  accept = (id: number, logits: Float32Array): boolean => {
    const { request: { logprobs, stream }, setting } = this;
    this.#drawn.push(id);
    if (this.#ends.has(id)) return this.#end("stop");
    const offset = setting.offset + this.#stream.push(id);
    if (logprobs !== null) this.#scores.push(scoreOf({ id, offset }, logits, logprobs, setting.textOf));
    if (this.#stream.isStopped) return this.#end("stop");
    if (this.tokens >= setting.maxTokens) return this.#end("length");
    if (stream) this.#pass(false);
    return false;
  };

  #end(reason: CompletionFinish): true {
    this.#reason = reason;
    this.#stream.finish();
    if (this.request.stream) this.#pass(true);
    else this.#stream.take(true);
    this.setting.onEnd();
    return true;
  }

  /** Passes on the text that no later token can change, with the scores of its tokens. */
  #pass(isLast: boolean): void {
    const text = this.#stream.take(isLast);
    if (text === "" && !isLast) return;
    const scores = this.#scoresUntil(isLast).slice(this.#sent);
    this.#sent += scores.length;
    const finishReason = isLast ? this.#reason : null, { index } = this.setting;
    this.setting.onPart({ index, text, ...(this.request.logprobs !== null && { scores }), finishReason });
  }

  /** Returns the scores of the tokens whose text is passed on: not of those that a stop text removes or may remove. */
  #scoresUntil(isLast: boolean): readonly TokenScore[] {
    if (isLast && !this.#stream.isStopped) return this.#scores;
    const end = this.setting.offset + this.#stream.taken;
    const first = this.#scores.findIndex(({ offset }) => offset >= end);
    return first < 0 ? this.#scores : this.#scores.slice(0, first);
  }
}

/** Returns the score of a token that was drawn at a row of logits, or that a row of log-probabilities belongs to. */
function scoreOf(
  { id, offset }: { readonly id: number; readonly offset: number },
  logits: Float32Array,
  count: number,
  textOf: TokenText,
): TokenScore {
  const shift = logSumExp(logits), logprob = logits[id]! - shift;
  return tokenScore({ id, logprob, offset }, topTokens(logits, count, shift), textOf);
}

/** Returns a token with the texts of the most probable ones; of several with one text, the most probable is kept. */
export function tokenScore(
  { id, logprob, offset }: ScoredToken & { readonly offset: number },
  top: readonly ScoredToken[],
  textOf: TokenText,
): TokenScore {
  const text = textOf(id), texts = new Map<string, number>();
  for (const other of top) {
    const name = textOf(other.id);
    if (!texts.has(name)) texts.set(name, other.logprob);
  }
  if (top.length > 0 && !texts.has(text)) texts.set(text, logprob);
  return { text, logprob, offset, top: [...texts] };
}
