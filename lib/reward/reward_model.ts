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
import { type Sequence, targetsFrom } from "@/lib/train/batching.ts";
import { runSync, type Work } from "@/lib/train/event_loop.ts";
import type { Network } from "@/lib/train/network.ts";
import { tokenLogprobs, tokenLogprobsWork } from "@/lib/train/token_logprobs.ts";
import { frozenNetwork } from "./frozen_networks.ts";
import { type RewardLogprobs, scoredRows } from "./scored_rows.ts";

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

/** The models of a reward. */
export interface RewardSources {
  readonly members: readonly ModelSource[];
  readonly base: ModelSource;
  /** what members are held against; undefined: the base */
  readonly baseline?: ModelSource | undefined;
}

/**
 * What the models of a reward, and a reference, say of rows of rollouts; yields after every micro-batch. A model that is given
 * twice runs once.
 * @param options.bosId begins the text of base_nll
 */
export function* rewardLogprobs(
  { members, base, baseline = base }: RewardSources,
  rows: readonly RolloutRow[],
  options: {
    readonly sft: ModelSource;
    readonly bosId: number | null;
    readonly eosIds: readonly number[];
    readonly progress?: ScoringProgress | undefined;
  },
): Work<RewardLogprobs> {
  const sequences = rows.map(responseSequence),
    digestOf = ({ path, digest }: ModelSource) => digest ?? digestDirectory(path).digest;
  const total = members.length + (baseline === base ? 3 : 4);
  const known = new Map<string, Float32Array[]>();
  let done = 0;
  const logprobs = function* (source: ModelSource): Work<Float32Array[]> {
    const digest = digestOf(source);
    options.progress?.(done++, total);
    let found = known.get(digest);
    if (!found) {
      known.set(digest, found = yield* tokenLogprobsWork(frozenNetwork(source.path, digest), sequences));
    }
    return found;
  };
  const sft = yield* logprobs(options.sft), perMember: Float32Array[][] = [];
  for (const member of members) perMember.push(yield* logprobs(member));
  const ofBase = yield* logprobs(base), ofBaseline = baseline === base ? ofBase : yield* logprobs(baseline);
  options.progress?.(total - 1, total);
  const fluency = baseNll(frozenNetwork(base.path, digestOf(base)), rows, options);
  return {
    sft,
    members: perMember,
    base: ofBase,
    baseline: ofBaseline,
    baseNll: fluency.map(({ mean }) => mean),
  };
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
    return runSync(this.steps(rows, sft, bosId, progress));
  }

  /** `score()` as work that yields after every micro-batch. */
  *steps(
    rows: readonly RolloutRow[],
    sft: ModelSource,
    bosId: number | null,
    progress?: ScoringProgress,
  ): Work<ScoredRow[]> {
    const { eosIds } = this.manifest;
    const logprobs = yield* rewardLogprobs(this.sources(), rows, { sft, bosId, eosIds, progress });
    return scoredRows(rows, logprobs, this.manifest);
  }

  /** The models, where they lie. */
  sources(): RewardSources {
    const { members, base, baseline } = this.manifest;
    const place = ({ path, digest }: ModelSource) => ({ path: join(this.directory, path), digest: digest! });
    return { members: members.map(place), base: place(base), baseline: baseline && place(baseline) };
  }
}
