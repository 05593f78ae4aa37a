/**
 * Makes a reward directory of models that fit together: picks, places, tries out, writes. In: models, prompts, a way to judge
 * answers. Out: the directory, what it says, and what was found.
 * @module
 */
import { join } from "node:path";
import type { PromptRow } from "@/lib/contracts/prompts.ts";
import { type RewardManifest, writeReward } from "@/lib/contracts/reward_directory.ts";
import { RewardModel } from "@/lib/reward/reward_model.ts";
import { calibrate, type CheckedAnswers, lookAhead } from "./build_reward.ts";
import { flatFigures } from "./calibrate.ts";
import type { RewardParts } from "./check_models.ts";
import { diagnose } from "./diagnose.ts";
import { writeRewardGraph } from "./export_graph.ts";
import type { Tryout } from "./hear_answers.ts";
import type { Params } from "./params.ts";
import { pickCheckpoint } from "./pick_checkpoint.ts";
import { placeModels, placeSoup } from "./place_models.ts";
import type { Findings } from "./report.ts";
import { rewardRule } from "./reward_rule.ts";

/** What a reward is made of and tried out with. */
export interface RewardRequest {
  readonly parts: RewardParts;
  readonly params: Params;
  readonly eosIds: readonly number[];
  /** undefined without an SFT model: then nothing is tried out */
  readonly tryout: Tryout | undefined;
  /** of the calibration */
  readonly prompts: readonly PromptRow[] | undefined;
  /** answers of the SFT model, judged; undefined without a checker. Called once */
  readonly judgedAnswers: (() => Promise<CheckedAnswers>) | undefined;
  /** tells what is being done */
  readonly tell: (message: string) => void;
}

/** What reward.json says, and what was found. */
export interface MadeReward {
  readonly manifest: RewardManifest;
  readonly findings: Findings;
}

/**
 * Fills `directory`, which exists and is empty.
 * @throws {DataError} if members cannot be averaged, or SFT answers do not earn more than those of the base
 */
export async function makeReward(directory: string, request: RewardRequest): Promise<MadeReward> {
  const { params, eosIds, tryout, prompts, judgedAnswers, tell } = request;
  let checked: CheckedAnswers | undefined;
  const picked = params.reward_checkpoint === "auto" && tryout && judgedAnswers
    ? await pickCheckpoint(tryout, request.parts, checked = await judgedAnswers())
    : undefined;
  const parts: RewardParts = picked ? { ...request.parts, members: picked.members } : request.parts;
  const placed = params.combine === "soup" ? placeSoup(directory, parts) : placeModels(directory, parts);
  const manifestWith = (lengthTarget?: number): RewardManifest => ({
    ...placed,
    ...rewardRule(params, { eosIds, members: placed.members.length, lengthTarget }),
    calibration: {},
  });
  // The target length is known once SFT has answered; what calibration shows does not depend on it.
  const first = manifestWith(), reward = new RewardModel(directory, first), sources = reward.sources();
  const calibrated = tryout && prompts &&
    await calibrate({ ...tryout, sources, manifest: first, parts }, prompts);
  const manifest = manifestWith(calibrated?.calibration.sft.response_length);
  if (tryout && judgedAnswers) checked ??= await judgedAnswers();
  const ahead = tryout && checked && await lookAhead({ ...tryout, sources, manifest, parts }, checked);
  const heard = ahead?.heard ?? calibrated?.heard;
  const calibration = calibrated ? flatFigures(calibrated.calibration) : {};
  writeReward(directory, { ...manifest, calibration });
  if (params.export_onnx) {
    tell("writing reward.onnx");
    writeRewardGraph(join(directory, "reward.onnx"), reward);
  }
  return {
    manifest,
    findings: {
      calibration: calibrated?.calibration,
      preflight: ahead?.preflight,
      diagnosis: heard && diagnose(heard, manifest),
      choice: picked?.choice,
    },
  };
}
