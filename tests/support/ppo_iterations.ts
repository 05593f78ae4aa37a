/**
 * Iterations of PPO on files, for the tests of `ppo-update`: rollouts of a policy, scored by a reward over the golden models, and the stage run on
 * them.
 * @module
 */
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { type MetricRow, readMetrics } from "@/lib/data/contracts/metrics.ts";
import { type ScoredRow, writeScored } from "@/lib/data/contracts/scored.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { Generator } from "@/lib/model/generate/generator.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { RewardModel } from "@/lib/model/reward/reward_model.ts";
import { runSync } from "@/lib/model/train/event_loop.ts";
import { stage } from "@/stages/ppo-update/main.ts";
import { runStage, type StageRun } from "./run_stage.ts";
import type { TemporaryDirectory } from "./temporary_directory.ts";

const MODELS = "fixtures/goldens/srppo";

/** The models of the golden iteration: 96 ids, a context of 64 tokens, two blocks. */
export const SFT = `${MODELS}/sft`, BASE = `${MODELS}/base`, CRITIC = `${MODELS}/critic`;

/** The digest of their tokenizer. */
export const DIGEST = tokenizerDigest(SFT);

/** Parameters of a small run: two epochs over two minibatches, no warm-ups. */
export const SETTINGS = {
  epochs: 2,
  minibatch_size: 8,
  lr: 1e-3,
  critic_lr: 1e-2,
  beta: 0.1,
  kl_stop_per_token: null,
  clip_range_value: null,
  critic_warmup_iterations: 0,
  lr_warmup_iterations: 0,
};

/**
 * Returns responses of `policy` to `count` prompts, scored by log π_sft − log π_base.
 * @param options.scoredAt temperature that `score` is given; default: that of the sampler
 */
export function scoredRollouts(
  policy: string,
  iteration = 0,
  options: { count?: number; temperature?: number; scoredAt?: number } = {},
): ScoredRow[] {
  const { count = 16, temperature = 1, scoredAt = temperature } = options;
  const { model, parameters } = loadModel(policy);
  const prompts = Array.from({ length: count }, (_, i) => ({
    id: `${iteration}/p${i}/0`,
    ids: Int32Array.from(
      { length: 2 + i % 5 },
      (_, t) => t === 0 ? 1 : 3 + (i * 31 + t * 17 + iteration * 7) % 90,
    ),
  }));
  const responses = new Generator(model, parameters).generate({
    prompts,
    sampling: { temperature },
    maxNewTokens: 12,
    eosIds: [2],
    seed: 1,
    batchSize: 64,
    logprobsT1: true,
  });
  const reward = new RewardModel(MODELS, {
    members: [{ path: "sft", digest: digestDirectory(SFT).digest }],
    base: { path: "base", digest: digestDirectory(BASE).digest },
    combine: "mean",
    floor: null,
    eosBound: null,
    lengthNorm: "none",
    eosIds: [2],
    calibration: {},
  });
  return runSync(reward.score(
    responses.map(({ responseIds, logprobs, logprobsT1, finishReason }, i) => ({
      id: prompts[i]!.id,
      promptId: `p${i}`,
      sample: 0,
      promptIds: prompts[i]!.ids,
      responseIds,
      logprobs,
      logprobsT1: logprobsT1 ?? null,
      finishReason,
      meta: "{}",
    })),
    { sft: { path: SFT }, bosId: 1, temperature: scoredAt },
  ));
}

/** The inputs of an iteration, as paths. */
export interface IterationInputs {
  readonly policy: string;
  /** required by gae */
  readonly critic?: string;
  readonly state?: string;
  /** demonstrations */
  readonly tokens?: string;
}

/** The outputs of an iteration as paths, and its metrics by name. */
export interface Iteration extends IterationInputs {
  /** written if one was given */
  readonly critic: string;
  readonly state: string;
  readonly samples: string;
  /** written with ema_decay */
  readonly ema: string;
  readonly metricsPath: string;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Runs the stage once on `rows`. */
export async function update(
  directory: TemporaryDirectory,
  from: IterationInputs,
  rows: readonly ScoredRow[],
  given: Pick<StageRun, "params" | "seed" | "iteration" | "device" | "stopAfter" | "progress"> = {},
): Promise<Iteration> {
  const scored = directory.file(`${crypto.randomUUID()}.arrow`);
  await writeScored(scored, { rows, tokenizerDigest: DIGEST });
  const { params, ...rest } = given;
  const outputs = await runStage(stage, directory.file(crypto.randomUUID()), {
    inputs: { scored, ...from },
    params: { ...SETTINGS, ...params },
    ...rest,
  });
  const { policy, critic, state, samples, ema, metrics } = outputs;
  const rowsOut: MetricRow[] = readMetrics(metrics!);
  return {
    policy: policy!,
    critic: critic!,
    state: state!,
    samples: samples!,
    ema: ema!,
    metricsPath: metrics!,
    metrics: Object.fromEntries(rowsOut.map(({ name, value }) => [name, value])),
  };
}

/** Returns the digests of policy, critic and state, which the next iteration starts from. */
export function bytesOf({ policy, critic, state }: Iteration): string[] {
  return [policy, critic, state].map((path) => digestDirectory(path).digest);
}
