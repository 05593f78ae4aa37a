/**
 * The program `build-reward`: SFT models and the base become a reward directory, checked and calibrated.
 * @module
 */
import { join } from "node:path";
import { tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import { type PromptRow, readPrompts } from "@/lib/contracts/prompts.ts";
import { type RewardManifest, writeReward } from "@/lib/contracts/reward_directory.ts";
import { checkSameTokenizer } from "@/lib/contracts/same_tokenizer.ts";
import { defineStage, type StageContext } from "@/lib/contracts/stage.ts";
import { checkerOptions } from "@/lib/evals/checker_params.ts";
import { loadChecker } from "@/lib/evals/load_checker.ts";
import { writeJson } from "@/lib/files/json.ts";
import { publishDirectory } from "@/lib/files/publish.ts";
import { configureRuntime } from "@/lib/ort/runtime.ts";
import { RewardModel } from "@/lib/reward/reward_model.ts";
import { TryAgainError, UsageError } from "@/lib/tensor/errors.ts";
import { loadTokenizer } from "@/lib/text/tokenizer.ts";
import { breathe } from "@/lib/train/breathe.ts";
import { calibrate, lookAhead, type Trial } from "./build_reward.ts";
import { flatFigures } from "./calibrate.ts";
import { openParts, type RewardParts } from "./check_models.ts";
import { writeRewardGraph } from "./export_graph.ts";
import { type Params, params } from "./params.ts";
import { placeModels } from "./place_models.ts";
import { type Findings, rewardReport } from "./report.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "build-reward",
  summary: "Makes a reward of SFT models and their base, and checks that it can tell them apart.",
  params,
  inputs: {
    members: { contract: "model", description: "SFT models; one is the paper's reward", many: "list" },
    base: { contract: "model", description: "the model before SFT" },
    sft: { contract: "model", description: "answers prompts for calibration and preflight", optional: true },
    prompts: { contract: "prompts@1", description: "what is answered for the calibration", optional: true },
    eval_prompts: {
      contract: "prompts@1",
      description: "what is answered for the preflight; else the prompts are",
      optional: true,
    },
  },
  outputs: {
    reward: { contract: "reward", description: "reward.json with its models" },
    report: {
      contract: "report",
      description: "report.json: how the reward is made, calibration, preflight",
    },
  },
  random: true,
  run,
});

async function run(
  { params, inputs, outputs, seed, signal, progress, threads }: StageContext<Params>,
): Promise<void> {
  configureRuntime({ threads });
  checkParams(params, inputs.members as readonly string[]);
  progress({ message: "reading models" });
  const parts = openParts({
    members: inputs.members as readonly string[],
    base: inputs.base as string,
    sft: inputs.sft as string | undefined,
  });
  const prompts = promptsOf("prompts", inputs.prompts as string | undefined, parts);
  const evalPrompts = promptsOf("eval_prompts", inputs.eval_prompts as string | undefined, parts);
  const pause = async () => {
    await breathe();
    if (!signal.aborted) return;
    throw new TryAgainError("Cannot finish build-reward as a stop was asked for: nothing of it is kept");
  };
  let report: ReturnType<typeof rewardReport> | undefined;
  await publishDirectory(outputs.reward!, async (directory) => {
    const manifest: RewardManifest = {
      ...placeModels(directory, parts),
      combine: params.combine,
      floor: params.floor,
      eosBound: params.eos_bound,
      lengthNorm: params.length_norm,
      eosIds: (parts.sft ?? parts.members[0]!).eosIds,
      calibration: {},
    };
    const reward = new RewardModel(directory, manifest);
    const trial: Trial = { reward, parts, params, seed, pause, tell: (message) => progress({ message }) };
    const findings = await tryOut(trial, prompts, evalPrompts ?? prompts);
    const calibration = findings.calibration ? flatFigures(findings.calibration) : {};
    writeReward(directory, { ...manifest, calibration });
    if (params.export_onnx) {
      progress({ message: "writing reward.onnx" });
      writeRewardGraph(join(directory, "reward.onnx"), reward);
    }
    report = rewardReport(manifest, findings);
  });
  await publishDirectory(outputs.report!, (to) => writeJson(join(to, "report.json"), report));
}

/** Calibration and preflight, as far as models, prompts and a checker are given. */
async function tryOut(
  trial: Trial,
  prompts: readonly PromptRow[] | undefined,
  preflightPrompts: readonly PromptRow[] | undefined,
): Promise<Findings> {
  const { parts: { sft }, params } = trial;
  if (!sft) return {};
  const calibration = prompts && await calibrate(trial, sft, prompts);
  if (params.checker === "") return { calibration };
  if (!preflightPrompts) {
    throw new UsageError(
      `Cannot run a preflight with checker "${params.checker}" as eval_prompts or prompts must be given: neither is`,
    );
  }
  const checker = await loadChecker(params.checker, checkerOptions(params));
  const tokenizer = loadTokenizer(sft.path);
  const text = (ids: Int32Array) => tokenizer.decode(ids, { skipSpecial: true });
  return {
    calibration,
    preflight: await lookAhead(trial, sft, { prompts: preflightPrompts, checker, text }),
  };
}

function promptsOf(
  port: string,
  path: string | undefined,
  { base }: RewardParts,
): readonly PromptRow[] | undefined {
  if (path === undefined) return undefined;
  const { rows, tokenizerDigest: digest } = readPrompts(path);
  checkSameTokenizer({ base: tokenizerDigest(base.path), [port]: digest });
  return rows;
}

/** @throws {UsageError} listing parameters that cannot hold together */
function checkParams({ combine }: Params, members: readonly string[]): void {
  const needed = combine === "lcb" ? 2 : 1;
  if (members.length >= needed) return;
  throw new UsageError(
    `Cannot build a reward as combine=${combine} needs at least ${needed} ${
      needed === 1 ? "member" : "members"
    }: ` +
      `there ${members.length === 1 ? "is" : "are"} ${members.length}`,
  );
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}
