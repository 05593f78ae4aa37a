/**
 * The program `ppo-update`: one iteration of proximal policy optimization on a batch of scored rollouts.
 *
 * The order of the calls is the algorithm. `run`: check, old log-probabilities, the KL stop, {@linkcode learn}, write. `learn`: rewards, advantages,
 * epochs × minibatches × (critic, policy), statistics. The records that these steps fill are in trajectory.ts.
 * @module
 */
import type { z } from "zod";
import { writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { hasTokenizer } from "@/lib/data/contracts/model_directory.ts";
import { writeSamples } from "@/lib/data/contracts/samples.ts";
import { defineStage, type Ports, type StageContext } from "@/lib/data/contracts/stage.ts";
import { configureCompute } from "@/lib/compute/devices/configure.ts";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { loadSpecialIds } from "@/lib/data/text/load_special_ids.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { yieldToEventLoop } from "@/lib/model/train/event_loop.ts";
import { withAdvantages, withCriticOutputs } from "./advantages.ts";
import { type Demonstrations, DemonstrationStream } from "./demonstrations.ts";
import { checkDataFits, readIterationData } from "./inputs.ts";
import {
  effectiveBeta,
  klControlOf,
  klToReference,
  nextKlControl,
  type RelativeUnits,
  relativeUnits,
} from "./kl_control.ts";
import { minibatches } from "./minibatch.ts";
import { withOldLogprobs } from "./old_logprobs.ts";
import { hasSharedCritic, isCriticFree, type Params, params as schema, RENAMED } from "./params.ts";
import { resolvedParams } from "./presets.ts";
import { fitScale, withRewards } from "./rewards.ts";
import {
  advantageStatistics,
  type RolloutStatistics,
  rolloutStatistics,
  UpdateStatistics,
} from "./statistics.ts";
import { followingRate, peakRates } from "./peak_rates.ts";
import { updateStep } from "./update_step.ts";
import { learningRates, loadTrainer, nextState, saveTrainer, type Trainer } from "./trainer.ts";
import type { Rollout } from "./trajectory.ts";
import { firstIterationOf, keptSamples, rewardHackingWarnings } from "./warnings.ts";
import { ppoWorkload } from "./workload.ts";

const inputs = {
  scored: {
    contract: "scored@1",
    description: "rollouts of the policy with their rewards (output of score)",
  },
  policy: { contract: "model", description: "the policy", handedOver: true },
  critic: {
    contract: "model",
    description:
      "critic, or a language model, to which a value head of zeros is added; required by gae with a separate critic",
    optional: true,
    handedOver: true,
  },
  state: {
    contract: "state",
    description: "output state of the previous iteration; omit in the first",
    optional: true,
    handedOver: true,
  },
  tokens: {
    contract: "tokens@1",
    description: "demonstrations for demo_mix",
    optional: true,
  },
  lr_of: {
    contract: "metrics@1",
    description: "metrics of the training whose learning rate auto follows",
    optional: true,
  },
} as const satisfies Ports;

const outputs = {
  policy: { contract: "model", description: "the updated policy", handedOver: true },
  critic: {
    contract: "model",
    description: "the updated critic, if one was given",
    optional: true,
    handedOver: true,
  },
  state: {
    contract: "state",
    description: "optimizer moments, reward normalisation, β, counters",
    handedOver: true,
  },
  metrics: {
    contract: "metrics@1",
    description: "metrics of the iteration; stopped is 1 if a KL stop was exceeded",
  },
  samples: { contract: "samples@1", description: "some of the responses as text" },
  ema: {
    contract: "model",
    description: "moving average (EMA) of the policy's weights, if ema_decay is set",
    optional: true,
    handedOver: true,
  },
} as const satisfies Ports;

type Context = StageContext<z.output<typeof schema>, typeof inputs, typeof outputs>;

/** The stage; see its README. */
export const stage = defineStage({
  id: "ppo-update",
  summary: "One PPO update of policy and critic on a batch of scored rollouts.",
  params: schema,
  renamed: RENAMED,
  inputs,
  outputs,
  random: true,
  role: "update",
  needs: (params) => ({
    ...(isCriticFree(params) || hasSharedCritic(params)
      ? {}
      : { critic: `advantage_estimator=${params.advantage_estimator}` }),
    ...(followingRate(params) === undefined ? {} : { lr_of: followingRate(params)! }),
    ...(params.demo_mix === 0 ? {} : { tokens: `demo_mix=${params.demo_mix}` }),
  }),
  omits: ({ ema_decay }) => ema_decay === null ? { ema: "ema_decay=null" } : {},
  workload: ppoWorkload,
  run,
});

async function run(context: Context): Promise<void> {
  const { inputs, outputs, iteration, handOver } = context, params = resolvedParams(context.params);
  configureCompute(context, (warning) => context.progress({ warning }));

  const { rows, demonstrations } = readIterationData(inputs, params);
  const trainer = loadTrainer(inputs, params, handOver), { policy, state } = trainer;
  checkDataFits({ rows, demonstrations }, inputs, policy.network.model);

  const { rollouts, gap } = await withOldLogprobs(policy.network, rows, params);

  const tokenizer = hasTokenizer(inputs.policy) ? loadTokenizer(inputs.policy) : undefined;
  const texts = tokenizer &&
    rollouts.map(({ responseIds }) => tokenizer.decode(responseIds, { skipSpecial: true }));
  const hasBos = loadSpecialIds(inputs.policy).bosId !== null;
  const statistics = rolloutStatistics(rollouts, { texts, hasBos });
  const first = state.firstIteration ?? firstIterationOf(statistics);
  const warnings = rewardHackingWarnings(statistics, first, rollouts, params);
  for (const { message } of warnings) context.progress({ warning: message });

  const units = relativeUnits(state, rollouts, statistics, params);
  const stopped = exceedsKlStop(statistics, params, units);
  const { after, learned } = stopped
    ? { after: trainer, learned: {} }
    : await learn({ rollouts, statistics, demonstrations, units }, trainer, params, context);

  const metrics = {
    ...statistics,
    ...(gap && { logprob_gap: gap.meanProbability, logprob_gap_max: gap.maxProbability }),
    ...learned,
    beta: effectiveBeta(klControlOf(state, params, units)),
    ...(units && { relative_kl: statistics.kl_to_sft / units.response_entropy }),
    policy_updates: after.state.policyUpdates,
    critic_updates: after.state.criticUpdates,
    episodes: after.state.episodes ?? 0,
    warnings: warnings.length,
    stopped: stopped ? 1 : 0,
  };
  await saveTrainer(after, inputs, outputs, handOver);
  await writeMetrics(
    outputs.metrics,
    Object.entries(metrics).map(([name, value]) => ({ step: iteration, name, value })),
  );
  const count = params.kept_samples;
  await writeSamples(outputs.samples, tokenizer ? keptSamples(rollouts, tokenizer, { count, warnings }) : []);
}

/** Returns whether the KL to SFT exceeds its limit; the policy is then written unchanged. */
function exceedsKlStop(
  { kl_to_sft, kl_to_sft_per_token }: RolloutStatistics,
  { kl_stop, kl_stop_per_token, relative_kl_stop }: Params,
  units: RelativeUnits | undefined,
): boolean {
  if (units && kl_to_sft > (relative_kl_stop ?? Infinity) * units.response_entropy) return true;
  return kl_to_sft > (kl_stop ?? Infinity) || kl_to_sft_per_token > (kl_stop_per_token ?? Infinity);
}

/** The data of an iteration. */
interface Batch {
  readonly rollouts: readonly Rollout[];
  readonly statistics: RolloutStatistics;
  readonly demonstrations: Demonstrations | undefined;
  readonly units: RelativeUnits | undefined;
}

/** Updates critic and policy on the rollouts. Returns the trainer afterwards and the metrics of the updates. */
async function learn(
  { rollouts, statistics, demonstrations, units }: Batch,
  trainer: Trainer,
  params: Params,
  context: Context,
): Promise<{ readonly after: Trainer; readonly learned: Readonly<Record<string, number>> }> {
  const { seed, iteration } = context, { policy, critic, state } = trainer;
  const control = klControlOf(state, params, units), beta = effectiveBeta(control);
  const rates = learningRates(trainer, peakRates(params, context.inputs.lr_of), params);

  const { scale, kept } = fitScale(rollouts, state, params);
  const rewarded = withRewards(rollouts, { scale, beta }, params);

  const evaluated = critic ? withCriticOutputs(critic.network, rewarded, params) : rewarded;
  const { trajectories, advantageStd } = withAdvantages(evaluated, scale.scale, params);

  // The rewards were divided by scale and advantageStd, so beta in the loss must be divided by both.
  const scaledBeta = params.kl_placement === "loss" ? beta / scale.scale / advantageStd : 0;
  const step = {
    policy,
    critic,
    isShared: trainer.isShared,
    lr: rates.policy,
    criticLr: rates.critic,
    scaledBeta,
    demonstrations: demonstrations && new DemonstrationStream(demonstrations, seed),
  };
  const updates = new UpdateStatistics(params.max_skipped_updates, iteration);
  const total = params.epochs * Math.ceil(trajectories.length / params.minibatch_size);
  const stepBefore = policy.optimizer.step;
  let earlyStopped = false;
  for (let epoch = 0; epoch < params.epochs; epoch++) {
    for (const minibatch of minibatches(trajectories, { seed, iteration, epoch }, params)) {
      await beforeUpdate(context, { step: minibatch.number - 1, total, statistics, means: updates.means() });
      const results = updateStep(minibatch, step, rates.updatesPolicy && !earlyStopped, params);
      if (results.critic) updates.add("critic", minibatch, results.critic);
      if (!results.policy) continue;
      if ("earlyStop" in results.policy) earlyStopped = true;
      else updates.add("policy", minibatch, results.policy);
    }
  }

  const tokens = params.epochs * trajectories.reduce((sum, { sequence }) => sum + sequence.ids.length, 0);
  context.progress({ fields: { tokens } }); // for the throughput
  const next = nextKlControl(control, {
    statistics,
    firstNll: (state.firstIteration ?? statistics).base_nll,
    policyUpdated: rates.updatesPolicy,
  }, params);
  return {
    after: { ...trainer, state: nextState(trainer, { kept, control: next, statistics, units }, params) },
    learned: {
      ...advantageStatistics(rewarded, trajectories, beta * klToReference(statistics, params)),
      ...updates.means(),
      skipped_updates: updates.skipped,
      ...(rates.updatesPolicy && {
        policy_updates_made: policy.optimizer.step - stepBefore,
        early_stopped: earlyStopped ? 1 : 0,
      }),
      lr: rates.updatesPolicy ? rates.policy : 0,
      ...(critic && { critic_lr: rates.critic }),
      reward_centre: scale.centre,
      reward_scale: scale.scale,
      ...(scaledBeta > 0 && { scaled_beta: scaledBeta }),
      ...(params.fluency_budget !== null && { fluency_factor: control.fluencyFactor }),
    },
  };
}

/** Reports progress before an update, and ends the iteration where it was interrupted. */
async function beforeUpdate(
  { progress, signal }: Context,
  { step, total, statistics, means }: {
    readonly step: number;
    readonly total: number;
    readonly statistics: RolloutStatistics;
    readonly means: Readonly<Record<string, number>>;
  },
): Promise<void> {
  const { kl_to_sft, reward, response_length } = statistics;
  progress({ step, total, fields: { kl_to_sft, reward, response_length, ...means } });
  await yieldToEventLoop();
  if (signal.aborted) {
    throw new TryAgainError("Interrupted: this iteration is discarded. Run the same command to resume");
  }
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
