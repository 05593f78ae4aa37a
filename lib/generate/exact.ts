/**
 * Answers that are drawn from the training graph's own distribution, to the last bit. Decoding takes other kernels than
 * training, so its probabilities differ by rounding; but a token follows from the probabilities and a random number that
 * belongs to its position alone. So decoding only proposes: one pass of the training graph over the whole answers gives
 * the probabilities that count, and the first token that they would not have drawn is replaced and the answer goes on
 * behind it. That happens about once in thirty thousand tokens, so the pass is nearly the whole price.
 *
 * The idea is that of speculative decoding (Leviathan et al. 2023, arXiv:2211.17192), with fixed random numbers in place
 * of rejection sampling: what comes out is, token for token, what the training graph alone would have drawn, whatever
 * proposed.
 * @module
 */
import type { Model } from "@/lib/models/model.ts";
import { type Key, makeKey, uniform } from "@/lib/random/uniform.ts";
import { UnavailableError, UsageError } from "@/lib/tensor/errors.ts";
import { microBatches, scatterTokens, type Sequence, targetsFrom } from "@/lib/train/batching.ts";
import type { Work } from "@/lib/train/breathe.ts";
import { exactProgram } from "@/lib/train/exact_program.ts";
import type { Network } from "@/lib/train/network.ts";
import { SCORING_BUDGET } from "@/lib/train/token_logprobs.ts";
import type { Generated, GenerationOptions, Generator } from "./generator.ts";
import { draw } from "./sampler.ts";

/** How to answer exactly. Top-k and top-p are no part of it: the policy that is trained is not cut. */
export interface ExactOptions
  extends Pick<GenerationOptions, "prompts" | "maxNewTokens" | "eosIds" | "seed" | "batchSize" | "onStep"> {
  readonly temperature: number;
  /** makes what ends answers by their text, as `GenerationOptions.onToken`; anew for every proposal */
  readonly stops?: () => (prompt: number, id: number) => boolean;
}

/** An answer on its way. */
interface Answer {
  readonly prompt: number;
  readonly ids: Int32Array;
  /** undefined: it goes on */
  readonly reason: Generated["finishReason"] | undefined;
  /** tokens that the training graph has drawn */
  readonly settled: number;
}

/** What the training graph makes of an answer. */
interface Verdict {
  readonly logprobs: Float32Array;
  readonly untempered: Float32Array;
  /** the first token that it would have drawn otherwise */
  readonly other: { readonly at: number; readonly id: number } | undefined;
}

/** Most floats of probabilities that one pass gives. */
const MOST_FLOATS = 1 << 26;

/**
 * Checks that a token's bits under the training graph follow from the tokens before it alone. With a sliding window the
 * keys that a block of queries reads, and so the order of sums, depend on the length of the row.
 * @param longest tokens of a prompt and its answer
 * @throws {UsageError} if a layer's window is shorter
 */
export function checkExact(model: Pick<Model, "blocks">, longest: number): void {
  const windows = model.blocks.flatMap(({ attention: { window } }) => window === null ? [] : [window]);
  const narrowest = Math.min(...windows);
  if (narrowest >= longest) return;
  throw new UsageError(
    `Cannot answer exactly as every layer must see the whole of up to ${longest} tokens: a window is ${narrowest}`,
  );
}

/**
 * One answer per prompt, in their order, with the log-probabilities that the training graph gives them.
 * @param proposer decodes; any model of the same vocabulary does, the policy itself is nearly always right
 * @param network the policy as it is trained
 * @throws {UnavailableError} if its bits depend on the batch
 */
export function* exactSteps(
  proposer: Pick<Generator, "steps">,
  network: Network,
  options: ExactOptions,
): Work<Generated[]> {
  const { prompts, maxNewTokens, temperature } = options;
  checkExact(network.model, Math.max(...prompts.map(({ ids }) => ids.length)) + maxNewTokens);
  const results: Generated[] = new Array(prompts.length);
  let open = prompts.map((_, prompt): Answer => ({
    prompt,
    ids: new Int32Array(0),
    reason: undefined,
    settled: 0,
  }));
  while (open.length > 0) {
    const proposed = yield* proposals(proposer, open, options);
    const verdicts = yield* judge(network, proposed, options);
    open = proposed.flatMap((answer, i) => {
      const { other, logprobs, untempered } = verdicts[i]!;
      if (other) return [corrected(answer, other, options)];
      results[answer.prompt] = {
        responseIds: answer.ids,
        logprobs,
        logprobsT1: temperature === 1 ? undefined : untempered,
        finishReason: answer.reason!,
      };
      return [];
    });
  }
  return results;
}

/** The answers, those that go on continued to an end by the proposer. */
function* proposals(
  proposer: Pick<Generator, "steps">,
  answers: readonly Answer[],
  options: ExactOptions,
): Work<Answer[]> {
  const { prompts, temperature, stops, onStep, ...rest } = options;
  const going = answers.filter(({ reason }) => reason === undefined);
  if (going.length === 0) return [...answers];
  const onToken = stops?.();
  going.forEach(({ ids }, i) => ids.forEach((id) => onToken?.(i, id)));
  const ended = prompts.length - going.length;
  const made = yield* proposer.steps({
    ...rest,
    prompts: going.map(({ prompt, ids }) => ({ ...prompts[prompt]!, begun: ids })),
    sampling: { temperature },
    ...(onToken ? { onToken } : {}),
    ...(onStep ? { onStep: (tokens: number, finished: number) => onStep(tokens, ended + finished) } : {}),
  });
  let next = 0;
  return answers.map((answer) => {
    if (answer.reason !== undefined) return answer;
    const { responseIds, finishReason } = made[next++]!;
    return { ...answer, ids: responseIds, reason: finishReason };
  });
}

/** The answer up to the token that the training graph draws in place of the proposed one. */
function corrected(
  { prompt, ids, settled }: Answer,
  { at, id }: { readonly at: number; readonly id: number },
  { prompts, eosIds, maxNewTokens, stops }: ExactOptions,
): Answer {
  if (at < settled) {
    throw new UnavailableError(
      `Cannot answer exactly as the training graph must give a token the same bits in every batch: it drew token ${at} of ` +
        `answer "${prompts[prompt]!.id}" once as ${ids[at]}, once as ${id}`,
    );
  }
  const kept = Int32Array.from([...ids.subarray(0, at), id]), watch = stops?.();
  const isStopped = (): boolean => kept.reduce((_, token) => watch?.(prompt, token) ?? false, false);
  const reason = eosIds.includes(id)
    ? "eos"
    : isStopped()
    ? "stop"
    : kept.length >= maxNewTokens
    ? "length"
    : undefined;
  return { prompt, ids: kept, reason, settled: at + 1 };
}

/** Runs the training graph over the answers, and draws every token again. */
function* judge(network: Network, answers: readonly Answer[], options: ExactOptions): Work<Verdict[]> {
  const { prompts, temperature, seed } = options;
  const sequences = answers.map(({ prompt, ids }): Sequence => {
    const before = prompts[prompt]!.ids, all = Int32Array.from([...before, ...ids]);
    return { ids: all, targets: targetsFrom(before.length, all.length) };
  });
  const keys = answers.map(({ prompt }): Key => makeKey(seed, "rollout", prompts[prompt]!.id));
  const program = exactProgram(temperature), size = network.model.vocabSize;
  const none = () => answers.map(() => new Float32Array(0));
  const logprobs = none(), untempered = none();
  const others = new Map<number, { at: number; id: number }>();
  const total = answers.reduce((sum, { ids }) => sum + ids.length, 0);
  const budget = Math.min(SCORING_BUDGET, Math.floor(MOST_FLOATS / size));
  for (const micro of microBatches(sequences, budget)) {
    const { batch, positions, targetIds, members } = micro;
    const { tokens } = network.run({ batch, positions, program, tokens: { id: targetIds } });
    scatterTokens(micro, sequences, tokens.logprob!, logprobs);
    scatterTokens(micro, sequences, tokens.logprobT1!, untempered);
    let row = 0;
    for (const member of members) {
      const { ids } = answers[member]!;
      for (let at = 0; at < ids.length; at++, row++) {
        if (others.has(member)) continue;
        const probabilities = tokens.probabilities!.subarray(row * size, (row + 1) * size);
        const { id } = draw(probabilities, uniform(keys[member]!, at), { temperature });
        if (id !== ids[at]) others.set(member, { at, id });
      }
    }
    options.onStep?.(total, prompts.length);
    yield;
  }
  return answers.map((_, i) => ({
    logprobs: logprobs[i]!,
    untempered: untempered[i]!,
    other: others.get(i),
  }));
}
