/**
 * Makes a reward directory from models that fit together: picks and stores the models, runs calibration and preflight, writes.
 * In: models, prompts, a way to score responses. Out: the directory, its manifest, and statistics.
 * @module
 */
import { join } from "node:path";
import type { PromptRow } from "@/lib/data/contracts/prompts.ts";
import { type RewardManifest, writeReward } from "@/lib/data/contracts/reward_directory.ts";
import type { TokenRow } from "@/lib/data/contracts/tokens.ts";
import { RewardModel } from "@/lib/model/reward/reward_model.ts";
import { flatStatistics } from "./calibrate.ts";
import type { RewardParts } from "./check_models.ts";
import { diagnose } from "./diagnose.ts";
import { writeRewardGraph } from "./export_graph.ts";
import { heldOut, repeatShare } from "./held_out.ts";
import { judge } from "./judge.ts";
import {
  calibrate,
  calibrationResponses,
  type CheckedResponses,
  runPreflight,
  type Setup,
} from "./measure.ts";
import { measurePreference } from "./measure_demonstrations.ts";
import type { Params } from "./params.ts";
import { pickCheckpoint } from "./pick_checkpoint.ts";
import { placeModels, placeSoup } from "./place_models.ts";
import type { Findings } from "./report.ts";
import { rewardRule } from "./reward_rule.ts";

/** What a reward is made and checked with. */
export interface RewardRequest {
  readonly parts: RewardParts;
  readonly params: Params;
  readonly eosIds: readonly number[];
  /** undefined without an SFT model: then there is neither calibration nor preflight */
  readonly setup: Setup | undefined;
  /** of the calibration */
  readonly prompts: readonly PromptRow[] | undefined;
  /** demonstrations that the members have not seen: none, one list for all, or one per member */
  readonly heldOut: readonly (readonly TokenRow[])[];
  /** samples and scores responses for the preflight; undefined without a checker. Called once */
  readonly checked: (() => Promise<CheckedResponses>) | undefined;
  /** shows what is being done */
  readonly message: (text: string) => void;
}

/** The content of reward.json, and what was measured. */
export interface MadeReward {
  readonly manifest: RewardManifest;
  readonly findings: Findings;
}

/**
 * Fills `directory`, which exists and is empty.
 * @throws {DataError} if members cannot be averaged, or SFT responses have no higher reward than those of the base
 */
export async function makeReward(directory: string, request: RewardRequest): Promise<MadeReward> {
  const { params, eosIds, setup, prompts, message } = request;
  let checked: CheckedResponses | undefined;
  const picked = params.reward_checkpoint === "auto" && setup && request.checked
    ? await pickCheckpoint(setup, request.parts, checked = await request.checked())
    : undefined;
  const parts: RewardParts = picked ? { ...request.parts, members: picked.members } : request.parts;
  const placed = params.combine === "soup" ? placeSoup(directory, parts) : placeModels(directory, parts);
  const responses = setup && prompts && await calibrationResponses(setup, prompts);
  const repeats = responses ? repeatShare(responses.rows) : null;
  const baseWeight = params.base_weight === "auto" ? 1 - repeats! : params.base_weight;
  const manifestWith = (lengthTarget?: number): RewardManifest => ({
    ...placed,
    ...rewardRule(params, { eosIds, members: placed.members.length, lengthTarget, baseWeight }),
    calibration: {},
  });
  // The target length follows from the calibration, which uses raw rewards and so does not depend on it.
  const first = manifestWith(), reward = new RewardModel(directory, first), sources = reward.sources();
  const calibrated = setup && responses &&
    await calibrate({ ...setup, sources, manifest: first, parts }, responses);
  const manifest = manifestWith(calibrated?.calibration.sft.response_length);
  if (setup && request.checked) checked ??= await request.checked();
  const preflight = setup && checked && await runPreflight({ ...setup, sources, manifest, parts }, checked);
  const measured = preflight?.measured ?? calibrated?.measured;
  const diagnosis = measured && diagnose(measured, manifest);
  const heldOutRows = heldOut(request.heldOut, request.parts.members.length);
  const preference = setup && picked === undefined && heldOutRows.length > 0
    ? await measurePreference({ ...setup, sources, manifest, parts }, heldOutRows)
    : undefined;
  const calibration = calibrated ? flatStatistics(calibrated.calibration) : {};
  writeReward(directory, { ...manifest, calibration });
  if (params.export_onnx) {
    message("writing reward.onnx");
    writeRewardGraph(join(directory, "reward.onnx"), reward);
  }
  return {
    manifest,
    findings: {
      calibration: calibrated?.calibration,
      ratio: calibrated?.ratio,
      preflight: preflight?.preflight,
      diagnosis,
      preference,
      judgement: diagnosis && judge({
        baseWeight,
        sft: calibrated?.calibration.sft,
        repeatShare: repeats,
        diagnosis,
        preference,
        preflight: preflight?.preflight,
      }),
      choice: picked?.choice,
    },
  };
}
