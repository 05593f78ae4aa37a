/**
 * The program `build-reward`: builds a reward directory from SFT models and their base model, and checks it.
 * @module
 */
import { join } from "node:path";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { listModels } from "@/lib/data/contracts/model_list.ts";
import { writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { type PromptRow, readPrompts } from "@/lib/data/contracts/prompts.ts";
import { checkSameTokenizer } from "@/lib/data/contracts/same_tokenizer.ts";
import { defineStage } from "@/lib/data/contracts/stage.ts";
import { checkStop } from "@/lib/data/contracts/stop.ts";
import { readTokens, type TokenRow } from "@/lib/data/contracts/tokens.ts";
import { checkerOptions } from "@/lib/model/evals/checker_params.ts";
import { loadChecker } from "@/lib/model/evals/load_checker.ts";
import { writeJson } from "@/lib/data/files/json.ts";
import { publishDirectory } from "@/lib/data/files/publish.ts";
import { configureCompute } from "@/lib/compute/devices/configure.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { openParts } from "./check_models.ts";
import { checkRequest } from "./check_request.ts";
import { judgementMetrics } from "./judge.ts";
import { type MadeReward, makeReward } from "./make_reward.ts";
import { type CheckedResponses, checkedResponses, type Setup } from "./measure.ts";
import { params } from "./params.ts";
import { type Context, inputs, outputs } from "./ports.ts";
import { rewardReport } from "./report.ts";
import { rewardWorkload } from "./workload.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "build-reward",
  summary: "Builds the reward from SFT models and their base model, and checks that it is informative.",
  params,
  inputs,
  outputs,
  random: true,
  role: "reward",
  needs: ({ reward_checkpoint: checkpoint, length_norm: norm, base_weight: weight }) => ({
    ...(weight === "auto" ? { sft: "base_weight=auto", prompts: "base_weight=auto" } : {}),
    ...(norm === "target" ? { sft: "length_norm=target", prompts: "length_norm=target" } : {}),
    ...(checkpoint === "auto"
      ? { sft: "reward_checkpoint=auto", checkpoints: "reward_checkpoint=auto" }
      : {}),
  }),
  workload: rewardWorkload,
  run,
});

async function run(
  { params, inputs, outputs, seed, signal, progress, threads, device }: Context,
): Promise<void> {
  configureCompute({ threads, device }, (warning) => progress({ warning }));
  const members = listModels("members", inputs.members);
  checkRequest(params, inputs, members.length);
  const message = (text: string) => progress({ message: text });
  message("reading models");
  const { base, baseline, sft } = inputs;
  const checkpoints = listModels("checkpoints", inputs.checkpoints ?? []);
  const parts = openParts({ members, base, baseline, sft, checkpoints });
  const prompts = readPort("prompts", inputs.prompts, base);
  const heldOut = (inputs.held_out ?? []).map((path) => readHeldOut(path, base));
  const evalPrompts = readPort("eval_prompts", inputs.eval_prompts, base) ?? prompts;
  const { eosIds } = parts.sft ?? parts.members[0]!;
  const onPiece = () => checkStop(signal, "the reward");
  const setup = parts.sft && { sft: parts.sft, eosIds, params, seed, message, onPiece };
  const checker = inputs.checker ?? params.checker;
  const checked = setup && checker !== "" ? () => checkedBy(checker, setup, evalPrompts!, signal) : undefined;
  let made: MadeReward;
  await publishDirectory(outputs.reward, async (directory) => {
    made = await makeReward(directory, { parts, params, eosIds, setup, prompts, heldOut, checked, message });
  });
  const { manifest, findings } = made!, report = rewardReport(manifest, findings);
  await publishDirectory(outputs.report, (to) => writeJson(join(to, "report.json"), report));
  await writeMetrics(outputs.metrics, judgementMetrics(findings.judgement));
  if (findings.judgement) message(findings.judgement.reason);
  for (const warning of report.warnings) progress({ warning });
}

/** Returns responses of the SFT model to the preflight's prompts, with their scores by the checker `name`. */
async function checkedBy(
  name: string,
  setup: Setup,
  prompts: readonly PromptRow[],
  signal: AbortSignal,
): Promise<CheckedResponses> {
  const checker = await loadChecker(name, checkerOptions(setup.params), { signal });
  const tokenizer = loadTokenizer(setup.sft.path);
  const text = (ids: Int32Array) => tokenizer.decode(ids, { skipSpecial: true });
  return await checkedResponses(setup, { prompts, checker, text });
}

/** Returns the prompts of an input, if it is given. */
function readPort(port: string, path: string | undefined, base: string): readonly PromptRow[] | undefined {
  if (path === undefined) return undefined;
  const { rows, tokenizerDigest: digest } = readPrompts(path);
  checkSameTokenizer({ base: tokenizerDigest(base), [port]: digest });
  return rows;
}

/** Returns the rows of a file of the input held_out. */
function readHeldOut(path: string, base: string): readonly TokenRow[] {
  const { rows, tokenizerDigest: digest } = readTokens(path);
  checkSameTokenizer({ base: tokenizerDigest(base), held_out: digest });
  return rows;
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
