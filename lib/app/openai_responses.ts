/** Bodies of responses in OpenAI's format, whole and in chunks. @module */
import type { Completion, CompletionChoice, TokenScore } from "@/lib/model/serve/completion.ts";
import type { OpenAiRequest } from "./openai_requests.ts";

/** How one route writes its responses. */
export interface ResponseFormat {
  readonly whole: (completion: Completion) => Record<string, unknown>;
  /** chunks before the first part of each choice */
  readonly first: (choices: number) => Record<string, unknown>[];
  readonly chunk: (part: CompletionChoice) => Record<string, unknown>;
  /** the last chunk, with the number of tokens */
  readonly usage: (completion: Completion) => Record<string, unknown>;
}

/** Smallest log-probability that is written: JSON has no infinity. */
const LEAST_LOGPROB = -9999;

function finite(logprob: number | null): number | null {
  return logprob === null ? null : Math.max(logprob, LEAST_LOGPROB);
}

function usageOf({ promptTokens: prompt, completionTokens: completion }: Completion): Record<string, number> {
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

/** Returns the format of `/v1/completions`. */
export function completionFormat({ model, topLogprobs, includeUsage }: OpenAiRequest): ResponseFormat {
  const head = headOf("cmpl", "text_completion", model);
  const choice = ({ index, text, scores, finishReason }: CompletionChoice) => ({
    index,
    text,
    logprobs: scores && topLogprobs !== null ? logprobLists(scores, topLogprobs) : null,
    finish_reason: finishReason,
  });
  const nothing = includeUsage ? { usage: null } : {};
  return {
    whole: (completion) => ({ ...head, choices: completion.choices.map(choice), usage: usageOf(completion) }),
    first: () => [],
    chunk: (part) => ({ ...head, choices: [choice(part)], ...nothing }),
    usage: (completion) => ({ ...head, choices: [], usage: usageOf(completion) }),
  };
}

function logprobLists(scores: readonly TokenScore[], count: number): Record<string, unknown> {
  const named = ({ top }: TokenScore) =>
    top === null ? null : Object.fromEntries(top.map(([text, logprob]) => [text, finite(logprob)]));
  return {
    tokens: scores.map(({ text }) => text),
    token_logprobs: scores.map(({ logprob }) => finite(logprob)),
    top_logprobs: count === 0 ? null : scores.map(named),
    text_offset: scores.map(({ offset }) => offset),
  };
}

/** Returns the format of `/v1/chat/completions`. */
export function chatFormat({ model, topLogprobs, includeUsage }: OpenAiRequest): ResponseFormat {
  const id = "chatcmpl", head = headOf(id, "chat.completion", model);
  const chunkHead = { ...head, object: "chat.completion.chunk" };
  const nothing = includeUsage ? { usage: null } : {};
  const logprobs = ({ scores }: CompletionChoice) =>
    scores && topLogprobs !== null
      ? { content: scores.map((score) => chatScore(score, topLogprobs)), refusal: null }
      : null;
  const chunk = (index: number, delta: unknown, found: unknown, reason: string | null) => ({
    ...chunkHead,
    choices: [{ index, delta, logprobs: found, finish_reason: reason }],
    ...nothing,
  });
  return {
    whole: (completion) => ({
      ...head,
      choices: completion.choices.map((choice) => ({
        index: choice.index,
        message: { role: "assistant", content: choice.text, refusal: null },
        logprobs: logprobs(choice),
        finish_reason: choice.finishReason,
      })),
      usage: usageOf(completion),
    }),
    first: (choices) =>
      Array.from({ length: choices }, (_, i) => chunk(i, { role: "assistant", content: "" }, null, null)),
    chunk: (part) =>
      chunk(part.index, part.text === "" ? {} : { content: part.text }, logprobs(part), part.finishReason),
    usage: (completion) => ({ ...chunkHead, choices: [], usage: usageOf(completion) }),
  };
}

function chatScore({ text, logprob, top }: TokenScore, count: number): Record<string, unknown> {
  const entry = (token: string, value: number | null) => ({
    token,
    logprob: finite(value),
    // Half a character has no text, so its bytes are not known here.
    bytes: token.includes("\uFFFD") ? null : Array.from(new TextEncoder().encode(token)),
  });
  const others = (top ?? []).slice(0, count).map(([token, value]) => entry(token, value));
  return { ...entry(text, logprob), top_logprobs: others };
}

function headOf(prefix: string, object: string, model: string): Record<string, unknown> {
  const id = `${prefix}-${crypto.randomUUID()}`, created = Math.floor(Date.now() / 1000);
  return { id, object, created, model };
}
