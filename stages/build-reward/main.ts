/**
 * The program `build-reward`: SFT models and the base become a reward directory, checked and calibrated.
 * @module
 */
import { join } from "node:path";
import { tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import { listModels } from "@/lib/contracts/model_list.ts";
import { type PromptRow, readPrompts } from "@/lib/contracts/prompts.ts";
import { checkSameTokenizer } from "@/lib/contracts/same_tokenizer.ts";
import { defineStage, type StageContext } from "@/lib/contracts/stage.ts";
import { checkerOptions } from "@/lib/evals/checker_params.ts";
import { loadChecker } from "@/lib/evals/load_checker.ts";
import { writeJson } from "@/lib/files/json.ts";
import { publishDirectory } from "@/lib/files/publish.ts";
import { configureRuntime } from "@/lib/ort/runtime.ts";
import { TryAgainError } from "@/lib/tensor/errors.ts";
import { loadTokenizer } from "@/lib/text/tokenizer.ts";
import { yieldToEventLoop } from "@/lib/train/event_loop.ts";
import { type CheckedAnswers, checkedAnswers } from "./build_reward.ts";
import { openParts, type RewardParts } from "./check_models.ts";
import { checkRequest } from "./check_request.ts";
import type { Tryout } from "./hear_answers.ts";
import { type MadeReward, makeReward } from "./make_reward.ts";
import { type Params, params } from "./params.ts";
import { rewardReport } from "./report.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "build-reward",
  summary: "Makes a reward of SFT models and their base, and checks that it can tell them apart.",
  params,
  inputs: {
    members: {
      contract: ["model", "models"],
      description: "SFT models; one is the paper's reward",
      many: "list",
    },
    base: { contract: "model", description: "the model before SFT" },
    baseline: {
      contract: "model",
      description: "what members are held against; else the base is",
      optional: true,
    },
    checkpoints: {
      contract: ["model", "models"],
      description:
        "SFT models on the way, of which reward_checkpoint=auto may take one in place of the members",
      many: "list",
      optional: true,
    },
    sft: { contract: "model", description: "answers prompts for calibration and preflight", optional: true },
    prompts: { contract: "prompts@1", description: "what is answered for the calibration", optional: true },
    eval_prompts: {
      contract: "prompts@1",
      description: "what is answered for the preflight; else the prompts are",
      optional: true,
    },
    checker: {
      contract: "file",
      description: "a module that exports check(), in place of the checker that a parameter names",
      optional: true,
    },
  },
  outputs: {
    reward: { contract: "reward", description: "reward.json with its models" },
    report: {
      contract: "report",
      description: "report.json: how the reward is made, calibration, preflight, warnings",
    },
  },
  random: true,
  needs: ({ reward_checkpoint: checkpoint, length_norm: norm }) => ({
    ...(norm === "target" ? { sft: "length_norm=target", prompts: "length_norm=target" } : {}),
    ...(checkpoint === "auto"
      ? { sft: "reward_checkpoint=auto", checkpoints: "reward_checkpoint=auto" }
      : {}),
  }),
  run,
});

async function run(
  { params, inputs, outputs, seed, signal, progress, threads }: StageContext<Params>,
): Promise<void> {
  configureRuntime({ threads });
  const members = listModels("members", inputs.members as readonly string[]);
  checkRequest(params, inputs, members.length);
  progress({ message: "reading models" });
  const parts = openParts({
    members,
    base: inputs.base as string,
    baseline: inputs.baseline as string | undefined,
    sft: inputs.sft as string | undefined,
    checkpoints: listModels("checkpoints", inputs.checkpoints as readonly string[] | undefined ?? []),
  });
  const prompts = promptsOf("prompts", inputs.prompts as string | undefined, parts);
  const evalPrompts = promptsOf("eval_prompts", inputs.eval_prompts as string | undefined, parts) ?? prompts;
  const tell = (message: string) => progress({ message });
  const pause = async () => {
    await yieldToEventLoop();
    if (!signal.aborted) return;
    throw new TryAgainError("Cannot finish build-reward as a stop was asked for: nothing of it is kept");
  };
  const { eosIds } = parts.sft ?? parts.members[0]!;
  const tryout = parts.sft && { sft: parts.sft, eosIds, params, seed, tell, pause };
  const checker = inputs.checker as string | undefined ?? params.checker;
  const judgedAnswers = tryout && checker !== "" ? () => judged(tryout, checker, evalPrompts!) : undefined;
  let made: MadeReward;
  await publishDirectory(outputs.reward!, async (directory) => {
    made = await makeReward(directory, { parts, params, eosIds, tryout, prompts, judgedAnswers, tell });
  });
  const { manifest, findings } = made!, report = rewardReport(manifest, findings);
  await publishDirectory(outputs.report!, (to) => writeJson(join(to, "report.json"), report));
  if (findings.preflight) tell(findings.preflight.verdict);
  for (const warning of report.warnings) progress({ warning });
}

/** Answers of the SFT model to the preflight's prompts, judged by a checker. */
async function judged(tryout: Tryout, name: string, prompts: readonly PromptRow[]): Promise<CheckedAnswers> {
  const checker = await loadChecker(name, checkerOptions(tryout.params));
  const tokenizer = loadTokenizer(tryout.sft.path);
  const text = (ids: Int32Array) => tokenizer.decode(ids, { skipSpecial: true });
  return await checkedAnswers(tryout, { prompts, checker, text });
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

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}
