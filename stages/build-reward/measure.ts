/**
 * Runs the models for calibration and preflight: samples responses and computes their log-probabilities under all models of a
 * reward. In: models and prompts. Out: statistics.
 * @module
 */
import type { PromptRow } from "@/lib/data/contracts/prompts.ts";
import type { RewardManifest } from "@/lib/data/contracts/reward_directory.ts";
import { parsedMeta, type RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import { stoppable } from "@/lib/data/contracts/stop.ts";
import type { Checker } from "@/lib/model/evals/checker.ts";
import { Generator } from "@/lib/model/generate/generator.ts";
import { sampleResponses } from "@/lib/model/generate/sample_responses.ts";
import { permutation } from "@/lib/compute/random/shuffle.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { frozenNetwork } from "@/lib/model/reward/frozen_networks.ts";
import { rewardLogprobs, type RewardSources } from "@/lib/model/reward/reward_model.ts";
import { type RewardLogprobs, type RewardRule, scoredRows } from "@/lib/model/reward/scored_rows.ts";
import { runYielding } from "@/lib/model/train/event_loop.ts";
import { type Calibration, checkCalibration, responseStatistics } from "./calibrate.ts";
import type { RewardPart, RewardParts } from "./check_models.ts";
import type { Params } from "./params.ts";
import { type Preflight, preflight, rated } from "./preflight.ts";

/** Inputs of calibration and preflight in addition to the models of the reward. */
export interface Setup {
  /** the SFT model, from which PPO starts */
  readonly sft: RewardPart;
  readonly eosIds: readonly number[];
  readonly params: Params;
  readonly seed: number;
  /** shows what is being done */
  readonly message: (text: string) => void;
  /** called after every step of a model; may throw to stop */
  readonly onPiece: () => void;
}

/** A reward, and what its calibration and preflight need. */
export interface RewardSetup extends Setup {
  readonly sources: RewardSources;
  readonly manifest: RewardManifest;
  readonly parts: RewardParts;
}

/** Responses with their log-probabilities under all models. */
export interface Measured {
  readonly rows: readonly RolloutRow[];
  /** `members` are those of the reward */
  readonly logprobs: RewardLogprobs;
  /** under each SFT model, [K][rows][R]: the members, or the models that a soup averages */
  readonly perModel: RewardLogprobs["members"];
}

/** Samples responses from a model at temperature 1. */
export function sampleFrom(
  { params, seed, onPiece, eosIds }: Setup,
  { path, digest }: RewardPart,
  which: { readonly name: string; readonly prompts: readonly PromptRow[]; readonly samplesPerPrompt: number },
): Promise<RolloutRow[]> {
  const { model, parameters } = frozenNetwork(path, digest);
  return sampleResponses(new Generator(model, parameters), {
    ...which,
    sampling: { temperature: 1 },
    maxNewTokens: params.max_new_tokens,
    batchSize: params.batch_size,
    eosIds,
    seed,
    onStep: onPiece,
  });
}

/**
 * Computes the log-probabilities of responses under the models of a reward.
 * @param averaged the models that a soup averages; empty if the members are SFT models themselves
 */
export async function measure(
  { sft, eosIds, onPiece }: Setup,
  sources: RewardSources,
  rows: readonly RolloutRow[],
  averaged: readonly RewardPart[] = [],
): Promise<Measured> {
  const all = { ...sources, members: [...sources.members, ...averaged] };
  const work = rewardLogprobs(all, rows, { sft, bosId: sft.bosId, eosIds });
  const logprobs = await runYielding(stoppable(work, onPiece)), count = sources.members.length;
  return {
    rows,
    logprobs: { ...logprobs, members: logprobs.members.slice(0, count) },
    perModel: averaged.length === 0 ? logprobs.members : logprobs.members.slice(count),
  };
}

/** Computes the log-probabilities of responses under the models of `setup`'s reward. */
export function measureReward(
  { manifest, parts, sources, ...setup }: RewardSetup,
  rows: readonly RolloutRow[],
) {
  return measure(setup, sources, rows, manifest.combine === "soup" ? parts.members : []);
}

/** Prompts of the calibration, and the SFT model's responses to them. */
export interface CalibrationResponses {
  readonly prompts: readonly PromptRow[];
  readonly rows: readonly RolloutRow[];
}

/** Draws the prompts of the calibration and samples responses of the SFT model. */
export async function calibrationResponses(
  setup: Setup,
  prompts: readonly PromptRow[],
): Promise<CalibrationResponses> {
  const { params, seed } = setup;
  const drawn = permutation(prompts.length, makeKey(seed, "calibration"))
    .slice(0, params.calibration_prompts).sort();
  const some = Array.from(drawn, (i) => prompts[i]!);
  return { prompts: some, rows: await sampleForCalibration(setup, setup.sft, "sft", some) };
}

function sampleForCalibration(
  setup: Setup,
  part: RewardPart,
  name: string,
  prompts: readonly PromptRow[],
): Promise<RolloutRow[]> {
  const samplesPerPrompt = setup.params.samples_per_prompt;
  setup.message(`calibration: sampling ${prompts.length} × ${samplesPerPrompt} responses from ${name}`);
  return sampleFrom(setup, part, { name: `calibration/${name}`, prompts, samplesPerPrompt });
}

/** Result of the calibration. */
export interface Calibrated {
  /** statistics of the reward */
  readonly calibration: Calibration;
  /** those of the reward with base_weight 1, which is what the calibration checks */
  readonly ratio: Calibration;
  readonly measured: Measured;
}

/**
 * Compares the rewards of responses of the SFT model and of the baseline, which is the base unless another is given.
 * @throws {DataError} if SFT responses have a lower mean reward than the others, by more than chance
 */
export async function calibrate(
  setup: RewardSetup,
  { prompts, rows }: CalibrationResponses,
): Promise<Calibrated> {
  const { manifest, parts, sft } = setup, { base, baseline = base } = parts;
  const measured = await measureReward(setup, rows);
  const ofBaseline = await sampleForCalibration(setup, baseline, baseline.role, prompts);
  const others = await measure(setup, setup.sources, ofBaseline);
  const calibrationBy = (rule: RewardRule): Calibration => {
    const statisticsOf = ({ rows, logprobs }: Measured) =>
      responseStatistics(scoredRows(rows, logprobs, rule), rule);
    const ofSft = statisticsOf(measured), ofOthers = statisticsOf(others);
    return baseline === base ? { sft: ofSft, base: ofOthers } : { sft: ofSft, baseline: ofOthers };
  };
  const calibration = calibrationBy(manifest);
  // Only the ratio must be higher on SFT responses: the base may find its own responses more likely than the members theirs.
  const ratio = manifest.baseWeight === undefined
    ? calibration
    : calibrationBy({ ...manifest, baseWeight: 1 });
  const { members: [member], floor, floorBoth, tokenCap, eosBound } = manifest;
  const isPaperReward = manifest.members.length === 1 && member!.digest === sft.digest &&
    [floor, floorBoth ?? null, tokenCap ?? null, eosBound].every((guard) => guard === null);
  checkCalibration(ratio, { isPaperReward });
  return { calibration, ratio, measured };
}

/** Responses of the SFT model for a preflight, with their scores by a checker. */
export interface CheckedResponses {
  readonly rows: readonly RolloutRow[];
  readonly scores: readonly number[];
}

/**
 * Samples several responses of the SFT model to each of the first prompts and scores them by the checker.
 * @throws {DataError} if the meta of a prompt is not a JSON object, or lacks what the checker requires
 */
export async function checkedResponses(
  setup: Setup,
  options: {
    readonly prompts: readonly PromptRow[];
    readonly checker: Checker;
    readonly text: (ids: Int32Array) => string;
  },
): Promise<CheckedResponses> {
  const { params, message, sft } = setup, prompts = options.prompts.slice(0, params.preflight_prompts);
  const samplesPerPrompt = params.preflight_samples;
  message(`preflight: sampling ${prompts.length} × ${samplesPerPrompt} responses from sft`);
  const rows = await sampleFrom(setup, sft, { name: "preflight", prompts, samplesPerPrompt });
  const metrics = await options.checker(rows.map((row) => ({
    meta: parsedMeta(row),
    response: options.text(row.responseIds),
    ended: row.finishReason !== "length",
  })));
  return { rows, scores: metrics.map(({ score }) => score!) };
}

/** Compares the scores of the best and worst responses by reward with the average ones. */
export async function runPreflight(
  setup: RewardSetup,
  { rows, scores }: CheckedResponses,
): Promise<{ readonly preflight: Preflight; readonly measured: Measured }> {
  const measured = await measureReward(setup, rows);
  const scored = scoredRows(rows, measured.logprobs, setup.manifest);
  return { preflight: preflight(rated(scored, scores)), measured };
}
