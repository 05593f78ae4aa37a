/**
 * Answers of a model, and what all models of a reward say of them, token by token. In: prompts, or answers. Out: answers, or
 * log-probabilities, from which any rule makes a reward without another pass.
 * @module
 */
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import { frozenNetwork } from "@/lib/reward/frozen_networks.ts";
import { rewardLogprobs, type RewardSources } from "@/lib/reward/reward_model.ts";
import type { RewardLogprobs } from "@/lib/reward/scored_rows.ts";
import { runSync } from "@/lib/train/event_loop.ts";
import { type AnswerRequest, sampleAnswers } from "./answers.ts";
import type { RewardPart } from "./check_models.ts";
import type { Params } from "./params.ts";

/** How a reward is tried out, whatever it is made of. */
export interface Tryout {
  /** the SFT model, which PPO will start from */
  readonly sft: RewardPart;
  readonly eosIds: readonly number[];
  readonly params: Params;
  readonly seed: number;
  /** tells what is being done */
  readonly tell: (message: string) => void;
  /** awaited now and then; may throw to stop */
  readonly pause: () => Promise<void>;
}

/** Answers, and what models say of them. */
export interface Heard {
  readonly rows: readonly RolloutRow[];
  /** `members` are those that the reward has */
  readonly logprobs: RewardLogprobs;
  /** what each SFT model says, [K][rows][R]: the members, or the models that a soup averages */
  readonly judges: RewardLogprobs["members"];
}

/** Answers of one model; see `sampleAnswers()`. */
export function answersOf(
  { params, seed, pause, eosIds }: Tryout,
  { path, digest }: RewardPart,
  asked: Pick<AnswerRequest, "name" | "prompts" | "samples">,
): Promise<RolloutRow[]> {
  const { max_new_tokens: maxNewTokens, batch_size: batchSize } = params;
  return sampleAnswers(frozenNetwork(path, digest), {
    ...asked,
    maxNewTokens,
    batchSize,
    eosIds,
    seed,
    pause,
  });
}

/** Answers that go through the models in one go; between goes a stop is heard. */
const ROWS_PER_GO = 4096;

/**
 * What the models of a reward say of answers.
 * @param parts the models that a soup averages; empty where the members are SFT models themselves
 */
export async function hear(
  { sft, eosIds, pause }: Tryout,
  sources: RewardSources,
  rows: readonly RolloutRow[],
  parts: readonly RewardPart[] = [],
): Promise<Heard> {
  const all = { ...sources, members: [...sources.members, ...parts] }, goes: RewardLogprobs[] = [];
  for (let start = 0; start < rows.length; start += ROWS_PER_GO) {
    const group = rows.slice(start, start + ROWS_PER_GO);
    goes.push(runSync(rewardLogprobs(all, group, { sft, bosId: sft.bosId, eosIds })));
    await pause();
  }
  const own = sources.members.length;
  const members = all.members.map((_, k) => goes.flatMap((go) => go.members[k]!));
  return {
    rows,
    logprobs: {
      sft: goes.flatMap((go) => go.sft),
      members: members.slice(0, own),
      base: goes.flatMap((go) => go.base),
      baseline: goes.flatMap((go) => go.baseline),
      baseNll: goes.flatMap((go) => go.baseNll),
    },
    judges: parts.length === 0 ? members : members.slice(own),
  };
}
