/**
 * What a benchmark does with a model: responses to prompts, and log-likelihoods of continuations.
 * @module
 */
import { Generator } from "@/lib/model/generate/generator.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { runYielding, type Work } from "@/lib/model/train/event_loop.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobsWork } from "@/lib/model/train/token_logprobs.ts";
import { stopWatch } from "@/lib/data/text/stop_strings.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { stripEnd } from "../python/text.ts";

/** A model with its tokenizer. */
export interface BenchmarkModel {
  readonly name: string;
  readonly network: Network;
  readonly tokenizer: Tokenizer;
  readonly eosIds: readonly number[];
}

/** How responses are generated. */
export interface ResponseOptions {
  /** a response ends before the first of these */
  readonly stops: readonly string[];
  readonly maxNewTokens: number;
  /** 0: greedy */
  readonly temperature: number;
  readonly samples: number;
  readonly seed: number;
  readonly batchSize: number;
  /** called after every step; may throw to stop */
  readonly onStep?: () => void;
}

/** A response. */
export interface BenchmarkResponse {
  /** without the stop string */
  readonly text: string;
  readonly tokens: Int32Array;
  readonly promptIds: Int32Array;
  readonly logprobs: Float32Array;
  readonly finishReason: "eos" | "length" | "stop";
}

/** Responses by prompt and sample. */
export interface BenchmarkResponses {
  readonly responses: readonly (readonly BenchmarkResponse[])[];
  /** prompts whose beginning was left out, so that the response fits the context */
  readonly truncated: number;
}

/**
 * Generates `samples` responses to every prompt. A prompt that leaves no room for `maxNewTokens` loses its first tokens, as in
 * lm-evaluation-harness.
 * @param prompts token ids
 * @throws {UsageError} if `maxNewTokens` is not below the context length
 */
export async function generateResponses(
  { network, tokenizer, eosIds, name }: BenchmarkModel,
  prompts: readonly Int32Array[],
  { stops, maxNewTokens, temperature, samples, seed, batchSize, onStep }: ResponseOptions,
): Promise<BenchmarkResponses> {
  const room = network.model.contextLength - maxNewTokens;
  if (room < 1) {
    throw new UsageError(
      `max-new-tokens must be less than the context length of ${name}, ${network.model.contextLength}, got ${maxNewTokens}`,
    );
  }
  const cut = prompts.map((ids) => ids.length > room ? ids.slice(ids.length - room) : ids);
  const generator = new Generator(network.model, network.parameters);
  const found = await runYielding(generator.steps({
    prompts: cut.flatMap((ids, i) =>
      Array.from({ length: samples }, (_, k) => ({ id: `benchmark/${i}/${k}`, ids }))
    ),
    sampling: { temperature },
    maxNewTokens,
    eosIds,
    seed,
    batchSize,
    onToken: stopWatch(tokenizer, stops),
    onStep: onStep && (() => onStep()),
  }));
  const responses = found.map(({ responseIds, logprobs, finishReason }, i): BenchmarkResponse => ({
    text: beforeStop(tokenizer.decode(responseIds, { skipSpecial: true }), stops),
    tokens: responseIds,
    promptIds: cut[Math.floor(i / samples)]!,
    logprobs,
    finishReason,
  }));
  return {
    responses: prompts.map((_, i) => responses.slice(i * samples, (i + 1) * samples)),
    truncated: prompts.filter((ids) => ids.length > room).length,
  };
}

function beforeStop(text: string, stops: readonly string[]): string {
  for (const stop of stops) if (stop !== "") text = text.split(stop, 1)[0]!;
  return text;
}

/** A continuation of a context. */
export interface Continuation {
  readonly context: string;
  readonly continuation: string;
}

/**
 * Computes Σ log p of every continuation's tokens after its context, in nats; yields after every micro-batch. Context and
 * continuation are encoded together, spaces at the end of the context belong to the continuation, and a context that is too long
 * loses its first tokens, as in lm-evaluation-harness.
 */
export async function logLikelihoods(
  { network, tokenizer, eosIds }: BenchmarkModel,
  continuations: readonly Continuation[],
  { special, stoppable = (work) => work }: {
    /** whether the tokenizer adds its special tokens; false where a chat template wrote them */
    readonly special: boolean;
    readonly stoppable?: <T>(work: Work<T>) => Work<T>;
  },
): Promise<number[]> {
  const moved = continuations.map(({ context, continuation }) => {
    const kept = stripEnd(context);
    return { context: kept, whole: context + continuation };
  });
  const wholes = await tokenizer.encodeAll(moved.map(({ whole }) => whole), { special });
  const contexts = await tokenizer.encodeAll(moved.map(({ context }) => context), { special });
  const limit = network.model.contextLength;
  const sequences = wholes.map((ids, i) => {
    let from = contexts[i]!.length, all: Int32Array = ids;
    if (from === 0) { // nothing predicts the first token: the prefix token of the harness
      all = Int32Array.from([tokenizer.bosId ?? eosIds[0] ?? 0, ...ids]);
      from = 1;
    }
    const excess = Math.max(0, all.length - limit);
    return {
      ids: all.subarray(excess),
      targets: targetsFrom(Math.max(1, Math.min(from, all.length) - excess), all.length - excess),
    };
  });
  const logprobs = await runYielding(stoppable(tokenLogprobsWork(network, sequences)));
  return logprobs.map((row) => row.reduce((sum, value) => sum + value, 0));
}
