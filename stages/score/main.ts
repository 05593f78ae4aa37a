/**
 * The program `score`: computes the reward of rollouts from the log-probabilities of SFT model, reward members and base.
 * It has no state and draws no random numbers.
 * @module
 */
import { environmentValue } from "@/lib/data/files/kept_environment.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { URL_TOKEN, urlToken } from "@/lib/data/contracts/reached_hosts.ts";
import { readRollouts } from "@/lib/data/contracts/rollouts.ts";
import { checkSameTokenizer } from "@/lib/data/contracts/same_tokenizer.ts";
import { writeScored } from "@/lib/data/contracts/scored.ts";
import { defineStage, type Ports, type StageContext } from "@/lib/data/contracts/stage.ts";
import { checkStop, stoppable } from "@/lib/data/contracts/stop.ts";
import { configureCompute } from "@/lib/compute/devices/configure.ts";
import { responseSequence, RewardModel } from "@/lib/model/reward/reward_model.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadSpecialIds } from "@/lib/data/text/load_special_ids.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { runYielding } from "@/lib/model/train/event_loop.ts";
import { checkFits } from "@/lib/model/train/fit_model.ts";
import { endpointReward } from "./endpoint_reward.ts";
import { addExternalReward, type ExternalReward } from "./external_reward.ts";
import { moduleReward } from "./module_reward.ts";
import { type Params, params } from "./params.ts";
import { scoreWorkload } from "./workload.ts";

const inputs = {
  rollouts: { contract: "rollouts@1", description: "responses to score" },
  reward: { contract: "reward", description: "output of build-reward: members, base and reward.json" },
  sft: { contract: "model", description: "SFT model, for the KL to SFT" },
  external: {
    contract: "file",
    description: "module that exports reward(rows), an external reward function",
    optional: true,
  },
} as const satisfies Ports;

const outputs = {
  scored: { contract: "scored@1", description: "rollouts with log-probabilities and rewards" },
} as const satisfies Ports;

type Context = StageContext<Params, typeof inputs, typeof outputs>;

/** The stage; see its README. */
export const stage = defineStage({
  id: "score",
  summary: "Computes the reward of each response, token by token.",
  params,
  inputs,
  outputs,
  random: false,
  workload: scoreWorkload,
  run,
});

async function run(context: Context): Promise<void> {
  const { params, inputs, outputs, signal, progress, threads, device } = context;
  configureCompute({ threads, device }, (warning) => progress({ warning }));
  const external = await externalReward(context);
  const { rows, tokenizerDigest: digest } = readRollouts(inputs.rollouts);
  const reward = new RewardModel(inputs.reward), { base } = reward.sources();
  const digests = { sft: tokenizerDigest(inputs.sft), reward: tokenizerDigest(base.path) };
  checkSameTokenizer({ rollouts: digest, ...digests });
  const sequences = rows.map((row) => ({ id: row.id, ids: responseSequence(row).ids }));
  checkFits(sequences, reward.base().model, {
    file: inputs.rollouts,
    column: "response_ids",
  });
  const work = reward.score(rows, {
    sft: { path: inputs.sft },
    bosId: loadSpecialIds(inputs.sft).bosId,
    temperature: params.temperature,
    progress: (step, total) => progress({ step, total }),
  });
  const scored = await runYielding(stoppable(work, () => checkStop(signal, "this iteration")));
  // Throughput counts prompts and responses once per model.
  const { members, baseline } = reward.manifest, models = members.length + (baseline ? 3 : 2);
  progress({ fields: { tokens: models * sequences.reduce((sum, { ids }) => sum + ids.length, 0) } });
  const tokenizer = external && loadTokenizer(inputs.sft);
  const rewarded = external
    ? await addExternalReward(scored, {
      reward: external,
      weight: params.external_weight,
      rule: reward.manifest,
      text: (ids, options) => tokenizer!.decode(ids, options),
    })
    : scored;
  await writeScored(outputs.scored, { rows: rewarded, tokenizerDigest: digest });
}

/**
 * Returns the external reward function, if there is one.
 * @throws {UsageError} if both a module and an endpoint are given
 */
async function externalReward(
  { params, inputs: { external: path }, signal, progress }: Context,
): Promise<ExternalReward | undefined> {
  const { external_url: url } = params;
  if (path !== undefined && url !== "") {
    throw new UsageError(
      `Only one external reward is allowed, got the input external=${path} and the parameter external_url`,
    );
  }
  if (path !== undefined) return await moduleReward(path, { signal });
  if (url === "") return undefined;
  return endpointReward({
    url,
    token: urlToken(environmentValue(URL_TOKEN), url),
    timeoutMs: 1000 * params.external_timeout,
    attempts: params.external_attempts,
    batch: params.external_batch,
    signal,
    onRetry: (message) => progress({ message }),
  });
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
