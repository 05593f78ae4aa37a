/**
 * A reward directory, opened: log-probabilities of the members, the base and a reference for rows of rollouts, and
 * what each token earns. `score`, `build-reward` and `eval` all go through it.
 * @module
 */
import { join } from "node:path";
import { readReward, type RewardManifest } from "@/lib/contracts/reward_directory.ts";
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { digestDirectory } from "@/lib/files/digest.ts";
import { combineMembers, guardedRewards } from "@/lib/rl/bagged_reward.ts";
import { type Sequence, targetsFrom } from "@/lib/train/batching.ts";
import { atOnce, type Work } from "@/lib/train/breathe.ts";
import type { Network } from "@/lib/train/network.ts";
import { tokenLogprobs, tokenLogprobsWork } from "@/lib/train/token_logprobs.ts";
import { frozenNetwork } from "./frozen_networks.ts";

/** Told before each model runs. */
export type ScoringProgress = (done: number, total: number) => void;

/** A model directory with its digest, where that is known. */
export interface ModelSource {
  readonly path: string;
  readonly digest?: string;
}

/** Prompt and response as one sequence; the response's tokens are the targets. */
export function responseSequence(
  { promptIds, responseIds }: Pick<RolloutRow, "promptIds" | "responseIds">,
): Sequence {
  const ids = new Int32Array(promptIds.length + responseIds.length);
  ids.set(promptIds);
  ids.set(responseIds, promptIds.length);
  return { ids, targets: targetsFrom(promptIds.length, ids.length) };
}

/**
 * Mean nats per token that the base gives to the responses alone, after BOS and without their prompts and ends; null
 * where nothing is left. How fluent a text is to the base, whatever it was asked.
 * @param bosId null: from the second token on, as a model without BOS cannot predict the first
 */
export function baseNll(
  base: Network,
  rows: readonly Pick<RolloutRow, "responseIds">[],
  options: { readonly bosId: number | null; readonly eosIds: readonly number[] },
): { mean: number | null; tokens: number }[] {
  const ends = new Set(options.eosIds);
  const sequences = rows.map(({ responseIds }): Sequence => {
    const body = [...responseIds].filter((id) => !ends.has(id));
    const ids = options.bosId === null ? body : [options.bosId, ...body];
    return { ids: ids.length > 0 ? ids : [0], targets: targetsFrom(1, ids.length) };
  });
  return tokenLogprobs(base, sequences).map((row) => {
    let sum = 0;
    for (const x of row) sum -= x;
    return { mean: row.length > 0 ? sum / row.length : null, tokens: row.length };
  });
}

/** The reward of rows of rollouts. */
export class RewardModel {
  readonly manifest: RewardManifest;

  constructor(readonly directory: string, manifest?: RewardManifest) {
    this.manifest = manifest ?? readReward(directory);
  }

  /** The base's network. */
  base(): Network {
    const { path, digest } = this.manifest.base;
    return frozenNetwork(join(this.directory, path), digest);
  }

  /**
   * Rows with all that `scored@1` adds.
   * @param sft the model that KL is measured against
   * @param bosId begins the text of base_nll
   */
  score(
    rows: readonly RolloutRow[],
    sft: ModelSource,
    bosId: number | null,
    progress?: ScoringProgress,
  ): ScoredRow[] {
    return atOnce(this.steps(rows, sft, bosId, progress));
  }

  /** `score()` as work that yields after every micro-batch. */
  *steps(
    rows: readonly RolloutRow[],
    sft: ModelSource,
    bosId: number | null,
    progress?: ScoringProgress,
  ): Work<ScoredRow[]> {
    const { members, eosIds, combine, floor, eosBound, lengthNorm } = this.manifest;
    const sequences = rows.map(responseSequence);
    const sftDigest = sft.digest ?? digestDirectory(sft.path).digest;
    const total = members.length + 3;
    const known = new Map<string, Float32Array[]>(); // a member may be the SFT model itself
    const logprobs = function* (path: string, digest: string, done: number): Work<Float32Array[]> {
      progress?.(done, total);
      let found = known.get(digest);
      if (!found) known.set(digest, found = yield* tokenLogprobsWork(frozenNetwork(path, digest), sequences));
      return found;
    };
    const sftLogprobs = yield* logprobs(sft.path, sftDigest, 0);
    const perMember: Float32Array[][] = [];
    for (const [k, { path, digest }] of members.entries()) {
      perMember.push(yield* logprobs(join(this.directory, path), digest, 1 + k));
    }
    const base = this.manifest.base;
    const baseLogprobs = yield* logprobs(join(this.directory, base.path), base.digest, total - 2);
    progress?.(total - 1, total);
    const fluency = baseNll(this.base(), rows, { bosId, eosIds });
    const ends = new Set(eosIds);
    return rows.map((row, i) => {
      const target = combineMembers(perMember.map((member) => member[i]!), combine);
      const isEos = Array.from(row.responseIds, (id) => ends.has(id) ? 1 : 0);
      const rewards = guardedRewards(
        { targetLogprobs: target, baseLogprobs: baseLogprobs[i]!, isEos },
        { floor, eosBound },
      );
      const rawReward = rewards.reduce((a, b) => a + b, 0), length = Math.max(1, rewards.length);
      const divisor = { none: 1, mean: length, sqrt: Math.sqrt(length) }[lengthNorm];
      return {
        ...row,
        sftLogprobs: sftLogprobs[i]!,
        targetLogprobs: Float32Array.from(target),
        baseLogprobs: baseLogprobs[i]!,
        tokenRewards: Float32Array.from(rewards),
        rawReward,
        reward: rawReward / divisor,
        baseNll: fluency[i]!.mean,
      };
    });
  }
}
