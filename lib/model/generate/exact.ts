/**
 * Draws responses from the training graph's own distribution, to the last bit. Decoding uses other kernels than training, so its
 * probabilities differ by rounding; but a token follows from the probabilities and a random number of its position alone.
 * Decoding therefore only proposes responses. One pass of the training graph over a whole response gives its probabilities; the
 * first token that these would not have drawn is replaced, and decoding continues after it. That happens about once in thirty
 * thousand tokens, so the pass is nearly the whole cost.
 *
 * The idea is that of speculative decoding (Leviathan et al. 2023, arXiv:2211.17192), with fixed random numbers in place
 * of rejection sampling: the result is, token for token, what the training graph alone would have drawn, whatever model
 * proposed it.
 * @module
 */
import type { Model } from "@/lib/model/models/model.ts";
import { type Key, makeKey, uniform } from "@/lib/compute/random/uniform.ts";
import { UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { microBatches, scatterTokens, type Sequence, targetsFrom } from "@/lib/model/train/batching.ts";
import type { Work } from "@/lib/model/train/event_loop.ts";
import { exactDrawProgram, exactProgram } from "@/lib/model/train/exact_program.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { SCORING_BUDGET } from "@/lib/model/train/token_logprobs.ts";
import type { Generated, GenerationOptions } from "./generation_options.ts";
import type { Generator } from "./generator.ts";
import { draw } from "./sampler.ts";
import { largest, smallest } from "@/lib/compute/tensor/large_lists.ts";

/** What to draw, and how. Without top-k and top-p: the policy that is trained is not truncated. */
export interface ExactOptions
  extends Pick<GenerationOptions, "prompts" | "maxNewTokens" | "eosIds" | "seed" | "batchSize" | "onStep"> {
  readonly temperature: number;
  /** returns a new watcher for stop texts, as `GenerationOptions.onToken`; called for every proposal */
  readonly stops?: (() => GenerationOptions["onToken"]) | undefined;
}

/** A response in progress. */
interface Draft {
  readonly prompt: number;
  readonly ids: Int32Array;
  /** undefined: not finished */
  readonly reason: Generated["finishReason"] | undefined;
  /** number of tokens that the training graph has drawn */
  readonly settled: number;
}

/** What the training graph gives for a draft. */
interface Check {
  readonly logprobs: Float32Array;
  readonly logprobsT1: Float32Array;
  /** the first token that it would have drawn differently */
  readonly other: { readonly at: number; readonly id: number } | undefined;
}

/** Most floats of probabilities that one pass returns. */
const MOST_FLOATS = 1 << 26;

/**
 * Checks that a token's bits under the training graph depend on the tokens before it alone. With a sliding window the
 * keys that a block of queries reads, and so the order of sums, depend on the length of the row.
 * @param longest tokens of a prompt and its response
 * @throws {UsageError} if a layer's window is shorter
 */
export function checkExact(model: Pick<Model, "blocks">, longest: number): void {
  const windows = model.blocks.flatMap(({ attention: { window } }) => window === null ? [] : [window]);
  const narrowest = smallest(windows);
  if (narrowest >= longest) return;
  throw new UsageError(
    `exact=true requires attention windows of at least ${longest} tokens (prompt and response), got a window of ${narrowest}`,
  );
}

/**
 * Returns one response per prompt, in their order, with the log-probabilities that the training graph gives them.
 * @param proposer decodes; any model of the same vocabulary works, the policy itself is nearly always right
 * @param network the policy as it is trained
 * @throws {UnavailableError} if its bits depend on the batch
 */
export function* exactSteps(
  proposer: Pick<Generator, "steps">,
  network: Network,
  options: ExactOptions,
): Work<Generated[]> {
  const { prompts, maxNewTokens, temperature } = options;
  checkExact(network.model, largest(prompts.map(({ ids }) => ids.length)) + maxNewTokens);
  const results: Generated[] = new Array(prompts.length);
  let open = prompts.map((_, prompt): Draft => ({
    prompt,
    ids: new Int32Array(0),
    reason: undefined,
    settled: 0,
  }));
  while (open.length > 0) {
    const drafts = yield* proposals(proposer, open, options);
    const checks = yield* redrawn(network, drafts, options);
    open = drafts.flatMap((draft, i) => {
      const { other, logprobs, logprobsT1 } = checks[i]!;
      if (other) return [corrected(draft, other, options)];
      results[draft.prompt] = {
        responseIds: draft.ids,
        logprobs,
        logprobsT1: temperature === 1 ? undefined : logprobsT1,
        finishReason: draft.reason!,
      };
      return [];
    });
  }
  return results;
}

/** Returns the drafts; the proposer has finished the unfinished ones. */
function* proposals(
  proposer: Pick<Generator, "steps">,
  drafts: readonly Draft[],
  options: ExactOptions,
): Work<Draft[]> {
  const { prompts, temperature, stops, onStep, ...rest } = options;
  const unfinished = drafts.filter(({ reason }) => reason === undefined);
  if (unfinished.length === 0) return [...drafts];
  const onToken = stops?.();
  unfinished.forEach(({ ids }, i) => ids.forEach((id) => onToken?.(i, id)));
  const ended = prompts.length - unfinished.length;
  const made = yield* proposer.steps({
    ...rest,
    prompts: unfinished.map(({ prompt, ids }) => ({ ...prompts[prompt]!, begun: ids })),
    sampling: { temperature },
    onToken,
    onStep: (tokens, finished) => onStep?.(tokens, ended + finished),
  });
  let next = 0;
  return drafts.map((draft) => {
    if (draft.reason !== undefined) return draft;
    const { responseIds, finishReason } = made[next++]!;
    return { ...draft, ids: responseIds, reason: finishReason };
  });
}

/** Returns the draft up to and with the token that the training graph draws in place of the proposed one. */
function corrected(
  { prompt, ids, settled }: Draft,
  { at, id }: { readonly at: number; readonly id: number },
  { prompts, eosIds, maxNewTokens, stops }: ExactOptions,
): Draft {
  if (at < settled) {
    throw new UnavailableError(
      `exact=true requires that the training graph gives a token the same bits in every batch, got ${
        ids[at]
      }, ` +
        `then ${id} for token ${at} of response "${prompts[prompt]!.id}"`,
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

/** Runs the training graph over the drafts and draws every token again. */
function* redrawn(network: Network, drafts: readonly Draft[], options: ExactOptions): Work<Check[]> {
  const { prompts, temperature, seed } = options;
  const sequences = drafts.map(({ prompt, ids }): Sequence => {
    const before = prompts[prompt]!.ids, all = Int32Array.from([...before, ...ids]);
    return { ids: all, targets: targetsFrom(before.length, all.length) };
  });
  const keys = drafts.map(({ prompt }): Key => makeKey(seed, "rollout", prompts[prompt]!.id));
  const size = network.model.vocabSize, { isHost } = network.place;
  const program = isHost ? exactProgram(temperature) : exactDrawProgram(temperature);
  const none = () => drafts.map(() => new Float32Array(0));
  const logprobs = none(), logprobsT1 = none();
  const others = new Map<number, { at: number; id: number }>();
  const total = drafts.reduce((sum, { ids }) => sum + ids.length, 0);
  const budget = Math.min(SCORING_BUDGET, Math.floor(MOST_FLOATS / size));
  for (const micro of microBatches(sequences, budget)) {
    const { batch, positions, targetIds, members } = micro;
    const numbers = members.flatMap((member) =>
      Array.from(drafts[member]!.ids, (_, at) => uniform(keys[member]!, at))
    );
    const { tokens } = network.run({ batch, positions, program, tokens: { id: targetIds, u: numbers } });
    scatterTokens(micro, sequences, tokens.logprob!, logprobs);
    scatterTokens(micro, sequences, tokens.logprobT1!, logprobsT1);
    let row = 0;
    for (const member of members) {
      const { ids } = drafts[member]!;
      for (let at = 0; at < ids.length; at++, row++) {
        if (others.has(member)) continue;
        const id = tokens.drawn?.[row] ??
          draw(tokens.probabilities!.subarray(row * size, (row + 1) * size), numbers[row]!, { temperature })
            .id;
        if (id !== ids[at]) others.set(member, { at, id });
      }
    }
    options.onStep?.(total, prompts.length);
    yield;
  }
  return drafts.map((_, i) => ({
    logprobs: logprobs[i]!,
    logprobsT1: logprobsT1[i]!,
    other: others.get(i),
  }));
}
