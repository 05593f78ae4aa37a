/**
 * Opens a reward directory and computes, for rows of rollouts, the log-probabilities of members, base and SFT model and the
 * reward of each token. `score`, `build-reward` and `eval` all use it.
 * @module
 */
import { join } from "node:path";
import { readReward, type RewardManifest } from "@/lib/data/contracts/reward_directory.ts";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { type Sequence, targetsFrom } from "@/lib/model/train/batching.ts";
import type { Work } from "@/lib/model/train/event_loop.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { temperedLogprobsWork, tokenLogprobsWork } from "@/lib/model/train/token_logprobs.ts";
import { frozenNetwork, holdNetworks } from "./frozen_networks.ts";
import { type RewardLogprobs, scoredRows } from "./scored_rows.ts";

/** A model directory with its digest, where that is known. */
export interface ModelSource {
  readonly path: string;
  readonly digest?: string;
}

/** The models of a reward. */
export interface RewardSources {
  readonly members: readonly ModelSource[];
  readonly base: ModelSource;
  /** the model that is subtracted from the members; undefined: the base */
  readonly baseline?: ModelSource | undefined;
}

/** How rows are scored, beside the models of the reward. */
export interface ScoringOptions {
  /** the model that KL to SFT is measured against */
  readonly sft: ModelSource;
  /** first token of the text of base_nll; see `baseNll()` */
  readonly bosId: number | null;
  /** of the sampler. Other than 1: SFT model and base are also scored at it, for the KL; rewards stay at 1. Default 1 */
  readonly temperature?: number | undefined;
  /** called before each model runs */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/** Returns prompt and response as one sequence; the response's tokens are the targets. */
export function responseSequence(
  { promptIds, responseIds }: Pick<RolloutRow, "promptIds" | "responseIds">,
): Sequence {
  const ids = new Int32Array(promptIds.length + responseIds.length);
  ids.set(promptIds);
  ids.set(responseIds, promptIds.length);
  return { ids, targets: targetsFrom(promptIds.length, ids.length) };
}

/**
 * Computes the mean nats per token that the base gives to the responses alone, after BOS and without prompts and EOS; null where
 * no token is left. A measure of fluency that does not depend on the prompt.
 * @param options.bosId null: from the second token on, as a model without BOS cannot predict the first
 */
export function* baseNll(
  base: Network,
  rows: readonly Pick<RolloutRow, "responseIds">[],
  options: { readonly bosId: number | null; readonly eosIds: readonly number[] },
): Work<{ mean: number | null; tokens: number }[]> {
  const ends = new Set(options.eosIds);
  const sequences = rows.map(({ responseIds }): Sequence => {
    const body = [...responseIds].filter((id) => !ends.has(id));
    const ids = options.bosId === null ? body : [options.bosId, ...body];
    return { ids: ids.length > 0 ? ids : [0], targets: targetsFrom(1, ids.length) };
  });
  return (yield* tokenLogprobsWork(base, sequences)).map((row) => {
    let sum = 0;
    for (const x of row) sum -= x;
    return { mean: row.length > 0 ? sum / row.length : null, tokens: row.length };
  });
}

/**
 * Computes the log-probabilities of rows of rollouts under the models of a reward and the SFT model; yields after every
 * micro-batch. A model that is given twice runs once.
 */
export function* rewardLogprobs(
  { members, base, baseline = base }: RewardSources,
  rows: readonly RolloutRow[],
  { sft, bosId, eosIds, temperature = 1, progress }: ScoringOptions & { readonly eosIds: readonly number[] },
): Work<RewardLogprobs> {
  const sequences = rows.map(responseSequence), total = members.length + (baseline === base ? 3 : 4);
  const digestOf = ({ path, digest }: ModelSource) => digest ?? digestDirectory(path).digest;
  const known = new Map<string, Float32Array[]>(), tempered = new Map<string, Float32Array[]>();
  const forKl = new Set(temperature === 1 ? [] : [digestOf(sft), digestOf(base)]);
  let done = 0;
  const logprobs = function* (source: ModelSource): Work<Float32Array[]> {
    const digest = digestOf(source);
    progress?.(done++, total);
    let found = known.get(digest);
    if (!found) {
      const network = frozenNetwork(source.path, digest);
      if (forKl.has(digest)) {
        const both = yield* temperedLogprobsWork(network, sequences, temperature);
        tempered.set(digest, both.tempered);
        found = both.logprobs;
      } else found = yield* tokenLogprobsWork(network, sequences);
      known.set(digest, found);
    }
    return found;
  };
  const ofSft = yield* logprobs(sft), perMember: Float32Array[][] = [];
  for (const member of members) perMember.push(yield* logprobs(member));
  const ofBase = yield* logprobs(base), ofBaseline = baseline === base ? ofBase : yield* logprobs(baseline);
  progress?.(total - 1, total);
  const fluency = yield* baseNll(frozenNetwork(base.path, digestOf(base)), rows, { bosId, eosIds });
  return {
    sft: ofSft,
    members: perMember,
    base: ofBase,
    baseline: ofBaseline,
    baseNll: fluency.map(({ mean }) => mean),
    ...(temperature !== 1 && {
      tempered: {
        temperature,
        sft: tempered.get(digestOf(sft))!,
        base: tempered.get(digestOf(base))!,
      },
    }),
  };
}

/** The reward of rows of rollouts. */
export class RewardModel {
  readonly manifest: RewardManifest;

  constructor(readonly directory: string, manifest?: RewardManifest) {
    this.manifest = manifest ?? readReward(directory);
  }

  /** Returns the base's network. */
  base(): Network {
    const { path, digest } = this.sources().base;
    return frozenNetwork(path, digest);
  }

  /**
   * Returns rows with all columns that `scored@1` adds, as work that yields after every micro-batch. All models stay in memory
   * for the next call, until another reward is used.
   */
  *score(rows: readonly RolloutRow[], options: ScoringOptions): Work<ScoredRow[]> {
    const { manifest } = this, { members, base, baseline = base } = manifest;
    const sft = { ...options.sft, digest: options.sft.digest ?? digestDirectory(options.sft.path).digest };
    holdNetworks([...members, base, baseline, sft].map(({ digest }) => digest));
    const sources = this.sources(), { eosIds } = manifest;
    const logprobs = yield* rewardLogprobs(sources, rows, { ...options, sft, eosIds });
    return scoredRows(rows, logprobs, manifest);
  }

  /** Returns the paths of the models with their digests. */
  sources(): RewardSources {
    const { members, base, baseline } = this.manifest;
    const located = ({ path, digest }: Required<ModelSource>) => ({
      path: join(this.directory, path),
      digest,
    });
    return { members: members.map(located), base: located(base), baseline: baseline && located(baseline) };
  }
}
