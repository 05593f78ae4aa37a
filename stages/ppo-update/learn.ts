/** A round that is not held back: what is paid, advantages, updates, and the state after them. @module */
import type { StageContext } from "@/lib/contracts/stage.ts";
import type { TrainerState } from "@/lib/contracts/trainer_state.ts";
import { responseSequence } from "@/lib/reward/reward_model.ts";
import { TryAgainError } from "@/lib/tensor/errors.ts";
import { yieldToEventLoop } from "@/lib/train/event_loop.ts";
import { policyWarmupFactor, transformersFactor } from "@/lib/train/schedule.ts";
import { advantagesOf } from "./advantages.ts";
import { criticHeads, NO_HEADS } from "./critic_heads.ts";
import { type Demonstrations, DemonstrationStream } from "./demonstrations.ts";
import { betaOf, type KlWeight, klWeightOf, nextKlWeight } from "./kl_control.ts";
import { learnedFigures } from "./learned_figures.ts";
import type { OwnRollouts } from "./own_logprobs.ts";
import type { Params } from "./params.ts";
import { earnedBy, payOf, rewardScaleOf, type ScaleState } from "./pay.ts";
import { klTo, type RoundFigures } from "./round_figures.ts";
import type { Trainer } from "./trainer.ts";
import { updateRound } from "./update.ts";
import { firstRoundOf } from "./warnings.ts";

/** What a round learns from. */
export interface RoundData {
  readonly own: OwnRollouts;
  readonly figures: RoundFigures;
  readonly demonstrations: Demonstrations | undefined;
}

/** Learns from a round: the trainer after it, and its figures. */
export async function learn(
  { own, figures, demonstrations }: RoundData,
  trainer: Trainer,
  context: StageContext<Params>,
): Promise<{ readonly after: Trainer; readonly learned: Record<string, number> }> {
  const { params, seed, iteration } = context, { critic, state } = trainer, { rows } = own;
  const weight = klWeightOf(state, params), beta = betaOf(weight);
  const earned = earnedBy(rows), scaled = rewardScaleOf(rows, earned, scaleIn(state), params);
  const { scale } = scaled, pay = payOf(rows, earned, { scale, beta }, params);
  const heads = critic ? criticHeads(critic.network, rows, params) : NO_HEADS;
  const advantages = advantagesOf(rows, { earned, pay, scale }, heads, params);
  const rates = ratesOf(state.iteration, params, critic !== undefined);
  // Whitening divides what the reward's terms are divided by once more, so the loss's term must be too.
  const scaledBeta = params.kl_placement === "loss" ? beta / scale.scale / advantages.deviation : 0;
  const updated = await updateRound(
    {
      rows,
      advantages,
      lr: rates.lr,
      scaledBeta,
      importance: own.importance,
      demonstrations: demonstrations && new DemonstrationStream(demonstrations, seed),
    },
    trainer,
    {
      params,
      seed,
      iteration,
      criticLr: rates.criticLr,
      moves: rates.moves,
      beforeUpdate: reporter(context, figures),
    },
  );
  // What throughput is measured by: prompts and responses, once per epoch.
  const tokens = advantages.learned.reduce((sum, i) => sum + responseSequence(rows[i]!).ids.length, 0);
  context.progress({ fields: { tokens: tokens * params.epochs } });
  const next = nextKlWeight(weight, {
    figures,
    firstNll: state.iteration === 0 ? figures.base_nll : state.firstIteration?.base_nll,
    moved: rates.moves,
  }, params);
  const klPenalty = beta * klTo(figures, params.kl_reference);
  return {
    after: { ...trainer, state: stateAfter(trainer, { figures, scaled, next }, params) },
    learned: {
      ...learnedFigures({ earned, pay }, advantages, klPenalty),
      ...updated,
      lr: rates.moves ? rates.lr : 0,
      ...(critic ? { critic_lr: rates.criticLr } : {}),
      reward_centre: scale.centre,
      reward_scale: scale.scale,
      ...(scaledBeta > 0 ? { scaled_beta: scaledBeta } : {}),
      ...(params.fluency_budget === null ? {} : { fluency_factor: weight.factor }),
    },
  };
}

/** The trainer's numbers after the round. */
function stateAfter(
  { policy, critic, state }: Trainer,
  made: { readonly figures: RoundFigures; readonly scaled: ScaleState; readonly next: KlWeight },
  { fluency_budget }: Params,
): TrainerState {
  const { fluencyFactor: _f, runningReward: _r, ...kept } = state, { scale, running } = made.scaled;
  return {
    ...kept,
    policyUpdates: policy.optimizer.step,
    criticUpdates: critic?.optimizer.step ?? state.criticUpdates,
    iteration: state.iteration + 1,
    rewardCentre: scale.centre,
    rewardScale: scale.scale,
    beta: made.next.coefficient,
    ...(fluency_budget === null ? {} : { fluencyFactor: made.next.factor }),
    ...(running ? { runningReward: running } : {}),
    episodes: (state.episodes ?? 0) + made.figures.responses,
    firstIteration: state.firstIteration ?? firstRoundOf(made.figures),
  };
}

/** Centre and scale as the state holds them; none before the first round. */
function scaleIn({ rewardCentre, rewardScale, runningReward }: TrainerState): ScaleState | undefined {
  if (rewardScale === null) return undefined;
  const scale = { centre: rewardCentre!, scale: rewardScale };
  return { scale, ...(runningReward ? { running: runningReward } : {}) };
}

/**
 * Learning rates of a round. Warm-ups and schedules count rounds from the state, not from the loop: a run that goes on elsewhere does not warm up
 * again. Without a critic nothing waits for it.
 */
function ratesOf(
  round: number,
  params: Params,
  hasCritic: boolean,
): { readonly lr: number; readonly criticLr: number; readonly moves: boolean } {
  const criticRounds = hasCritic ? params.critic_warmup_iterations : 0;
  const factor = policyWarmupFactor(round, {
    criticWarmupIterations: criticRounds,
    lrWarmupIterations: params.lr_warmup_iterations,
  });
  const { lr_schedule: kind, schedule_iterations: totalSteps } = params;
  // Beyond its last round a schedule stays where it ended: a cosine would rise again.
  const falls = totalSteps === null
    ? 1
    : transformersFactor(Math.min(round, totalSteps), { kind, totalSteps, warmupSteps: 0 });
  return {
    lr: params.lr * factor * falls,
    criticLr: params.critic_lr * falls,
    moves: round >= criticRounds,
  };
}

/** Tells how far the round is, and ends it where a stop was asked for. */
function reporter(
  { progress, signal }: StageContext<Params>,
  { kl_to_sft, reward, response_length }: RoundFigures,
) {
  return async (step: number, total: number, soFar: Readonly<Record<string, number>>) => {
    progress({ step, total, fields: { kl_to_sft, reward, response_length, ...soFar } });
    await yieldToEventLoop();
    if (signal.aborted) {
      throw new TryAgainError("Cannot finish ppo-update as a stop was asked for: the round is not kept");
    }
  };
}
