/**
 * The program `ppo-update`: a round of scored rollouts becomes a better policy and a better critic.
 * @module
 */
import { type MetricRow, writeMetrics } from "@/lib/contracts/metrics.ts";
import { hasTokenizer, tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import { checkSameTokenizer } from "@/lib/contracts/same_tokenizer.ts";
import { type SampleRow, writeSamples } from "@/lib/contracts/samples.ts";
import { readScored, type ScoredRow } from "@/lib/contracts/scored.ts";
import { defineStage, type StageContext } from "@/lib/contracts/stage.ts";
import { configureRuntime } from "@/lib/ort/runtime.ts";
import { responseSequence } from "@/lib/reward/reward_model.ts";
import { DataError, TryAgainError } from "@/lib/tensor/errors.ts";
import { loadSpecialIds } from "@/lib/text/load_special_ids.ts";
import { loadTokenizer, type Tokenizer } from "@/lib/text/tokenizer.ts";
import { breathe } from "@/lib/train/breathe.ts";
import { checkFits } from "@/lib/train/fit_model.ts";
import { policyRoundFactor } from "@/lib/train/schedule.ts";
import { tokenValues } from "@/lib/train/token_logprobs.ts";
import { advantagesOf, rewardScaleOf } from "./advantages.ts";
import { type Params, params } from "./params.ts";
import { type RoundFigures, roundFigures } from "./round_figures.ts";
import { loadTrainer, saveTrainer, type Trainer } from "./trainer.ts";
import { updateRound } from "./update.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "ppo-update",
  summary: "Moves the policy towards answers of higher reward, and teaches the critic what to expect.",
  params,
  inputs: {
    scored: {
      contract: "scored@1",
      description: "the round's rollouts with rewards, sampled from this policy",
    },
    policy: { contract: "model", description: "the policy" },
    critic: {
      contract: "model",
      description: "the critic, or a causal model that becomes one with a head of zeros",
    },
    state: {
      contract: "state",
      description: "the trainer after the round before; none: training begins",
      optional: true,
    },
  },
  outputs: {
    policy: { contract: "model", description: "the policy after the round" },
    critic: { contract: "model", description: "the critic after the round" },
    state: { contract: "state", description: "moments, reward scale, counters" },
    metrics: {
      contract: "metrics@1",
      description: "the round's figures; stopped = 1 where the KL stop held it back",
    },
    samples: { contract: "samples@1", description: "a few of the round's answers as text" },
  },
  random: true,
  run,
});

async function run(context: StageContext<Params>): Promise<void> {
  configureRuntime({ threads: context.threads });
  const { params, inputs, outputs } = context;
  const paths = {
    policy: inputs.policy as string,
    critic: inputs.critic as string,
    state: inputs.state as string | undefined,
  };
  const { rows, tokenizerDigest: digest } = readScored(inputs.scored as string);
  checkSameTokenizer({
    scored: digest,
    policy: tokenizerDigest(paths.policy),
    critic: tokenizerDigest(paths.critic),
  });
  const trainer = loadTrainer(paths, params);
  checkRows(rows, trainer.policy, inputs.scored as string);
  const tokenizer = hasTokenizer(paths.policy) ? loadTokenizer(paths.policy) : undefined;
  const texts = tokenizer &&
    rows.map(({ responseIds }) => tokenizer.decode(responseIds, { skipSpecial: true }));
  const figures = roundFigures(rows, { texts, hasBos: loadSpecialIds(paths.policy).bosId !== null });
  const stopped = isStopped(figures, params);
  const { after, learned } = stopped
    ? { after: trainer, learned: {} }
    : await learn(rows, figures, trainer, context);
  const metrics = {
    ...figures,
    ...learned,
    beta: params.beta,
    policy_updates: after.state.policyUpdates,
    critic_updates: after.state.criticUpdates,
    stopped: stopped ? 1 : 0,
  };
  await saveTrainer(after, paths.policy, {
    policy: outputs.policy!,
    critic: outputs.critic!,
    state: outputs.state!,
  });
  await writeMetrics(outputs.metrics!, metricRows(metrics, context.iteration));
  await writeSamples(outputs.samples!, tokenizer ? sampleRows(rows, tokenizer, params.kept_samples) : []);
}

/** @throws {DataError} naming rows that the policy cannot read or that hold no token to learn from */
function checkRows(
  rows: readonly ScoredRow[],
  { network: { model } }: Trainer["policy"],
  file: string,
): void {
  const sequences = rows.map((row) => ({ id: row.id, ids: responseSequence(row).ids }));
  checkFits(sequences, model, { action: "learn from", file, column: "response_ids" });
  const empty = rows.filter(({ responseIds }) => responseIds.length === 0).map(({ id }) => `"${id}"`);
  if (empty.length === 0) return;
  const more = empty.length > 5 ? ` and ${empty.length - 5} more` : "";
  throw new DataError(
    `Cannot learn from ${file} as a response must have a token: ${
      empty.slice(0, 5).join(", ")
    }${more} have none`,
    { file, column: "response_ids" },
  );
}

/** Whether the policy has moved as far from SFT as it may: it then passes through unchanged. */
function isStopped({ kl, kl_per_token }: RoundFigures, { kl_stop, kl_stop_per_token }: Params): boolean {
  return (kl_stop !== null && kl > kl_stop) ||
    (kl_stop_per_token !== null && kl_per_token > kl_stop_per_token);
}

async function learn(
  rows: readonly ScoredRow[],
  figures: RoundFigures,
  trainer: Trainer,
  context: StageContext<Params>,
) {
  const { params, seed, iteration, signal, progress } = context;
  const { policy, critic, state } = trainer;
  const kept = state.rewardScale === null
    ? undefined
    : { centre: state.rewardCentre!, scale: state.rewardScale };
  const scale = rewardScaleOf(rows, kept, params);
  const heads = tokenValues(critic.network, rows.map(responseSequence));
  const advantages = advantagesOf(rows, heads, scale, params);
  // Warm-ups count rounds from the state, not from the loop: a run that goes on elsewhere does not warm up again.
  const factor = policyRoundFactor(state.iteration, {
    criticRounds: params.critic_warmup_rounds,
    warmupRounds: params.lr_warmup_rounds,
  });
  const warm = state.iteration < params.critic_warmup_rounds, lr = warm ? null : params.lr * factor;
  const { kl, reward, response_tokens } = figures;
  const updated = await updateRound(rows, advantages, policy, critic, {
    params,
    seed,
    iteration,
    lr,
    async beforeUpdate(step, total, soFar) {
      progress({ step, total, fields: { kl, reward, response_tokens, ...soFar } });
      await breathe();
      if (signal.aborted) {
        throw new TryAgainError("Cannot finish ppo-update as a stop was asked for: the round is not kept");
      }
    },
  });
  const after: Trainer = {
    policy,
    critic,
    state: {
      ...state,
      policyUpdates: policy.optimizer.step,
      criticUpdates: critic.optimizer.step,
      iteration: state.iteration + 1,
      rewardCentre: scale.centre,
      rewardScale: scale.scale,
      klCoef: params.beta,
    },
  };
  const { explainedVariance } = advantages;
  const learned: Record<string, number> = {
    ...updated,
    lr: lr ?? 0,
    critic_lr: params.critic_lr,
    reward_centre: scale.centre,
    reward_scale: scale.scale,
    ...(explainedVariance === null ? {} : { explained_variance: explainedVariance }),
  };
  return { after, learned };
}

function metricRows(figures: Readonly<Record<string, number | undefined>>, step: number): MetricRow[] {
  return Object.entries(figures).flatMap(([name, value]) =>
    value === undefined ? [] : [{ step, name, value }]
  );
}

function sampleRows(rows: readonly ScoredRow[], tokenizer: Tokenizer, count: number): SampleRow[] {
  return rows.slice(0, count).map((row) => ({
    model: "policy",
    mode: "sampled",
    promptId: row.promptId,
    prompt: tokenizer.decode(row.promptIds, { skipSpecial: true }),
    response: tokenizer.decode(row.responseIds, { skipSpecial: true }),
    finishReason: row.finishReason,
    scores: JSON.stringify({ reward: row.reward, raw_reward: row.rawReward }),
  }));
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}
