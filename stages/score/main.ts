/**
 * The program `score`: rollouts get the log-probabilities of SFT model, reward members and base, and their reward.
 * It keeps no state and draws no random numbers.
 * @module
 */
import { join } from "node:path";
import { tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import { URL_TOKEN } from "@/lib/contracts/reached_hosts.ts";
import { readRollouts } from "@/lib/contracts/rollouts.ts";
import { checkSameTokenizer } from "@/lib/contracts/same_tokenizer.ts";
import { writeScored } from "@/lib/contracts/scored.ts";
import { defineStage, type StageContext } from "@/lib/contracts/stage.ts";
import { configureRuntime } from "@/lib/ort/runtime.ts";
import { responseSequence, RewardModel } from "@/lib/reward/reward_model.ts";
import { UsageError } from "@/lib/tensor/errors.ts";
import { loadSpecialIds } from "@/lib/text/load_special_ids.ts";
import { loadTokenizer } from "@/lib/text/tokenizer.ts";
import { runYielding, type Work } from "@/lib/train/event_loop.ts";
import { checkFits } from "@/lib/train/fit_model.ts";
import { endpointReward } from "./endpoint_reward.ts";
import { addExternalReward, type ExternalReward } from "./external_reward.ts";
import { moduleReward } from "./module_reward.ts";
import { type Params, params } from "./params.ts";
import { checkStop } from "./stop.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "score",
  summary: "Gives rollouts their reward, token by token.",
  params,
  inputs: {
    rollouts: { contract: "rollouts@1", description: "answers to score" },
    reward: { contract: "reward", description: "members, base, and how they make a reward" },
    sft: { contract: "model", description: "the model that KL is measured against" },
    external: {
      contract: "file",
      description:
        "a module that exports reward(rows): a number for every answer, added to what the models pay",
      optional: true,
    },
  },
  outputs: {
    scored: { contract: "scored@1", description: "the rollouts with log-probabilities and rewards" },
  },
  random: false,
  run,
});

async function run(context: StageContext<Params>): Promise<void> {
  const { params, inputs, outputs, signal, progress, threads } = context;
  configureRuntime({ threads });
  const external = await externalReward(context);
  const sft = inputs.sft as string;
  const { rows, tokenizerDigest: digest } = readRollouts(inputs.rollouts as string);
  const reward = new RewardModel(inputs.reward as string);
  const base = join(reward.directory, reward.manifest.base.path);
  checkSameTokenizer({ rollouts: digest, sft: tokenizerDigest(sft), reward: tokenizerDigest(base) });
  const sequences = rows.map((row) => ({ id: row.id, ids: responseSequence(row).ids }));
  checkFits(sequences, reward.base().model, {
    file: inputs.rollouts as string,
    column: "response_ids",
  });
  const { bosId } = loadSpecialIds(sft);
  const work = reward.steps(rows, { path: sft }, bosId, (step, total) => progress({ step, total }));
  const scored = await runYielding(stoppable(work, signal));
  // What throughput is measured by: prompts and responses, once per model that was asked.
  const { members, baseline } = reward.manifest;
  const models = members.length + 2 + (baseline ? 1 : 0);
  progress({ fields: { tokens: models * sequences.reduce((sum, { ids }) => sum + ids.length, 0) } });
  const tokenizer = external && loadTokenizer(sft);
  const paid = external
    ? await addExternalReward(scored, {
      reward: external,
      weight: params.external_weight,
      rule: reward.manifest,
      text: (ids, options) => tokenizer!.decode(ids, options),
    })
    : scored;
  await writeScored(outputs.scored!, { rows: paid, tokenizerDigest: digest });
}

/**
 * Who is asked beside the models, if anybody.
 * @throws {UsageError} if both a module and an endpoint are given
 */
async function externalReward(
  { params, inputs, signal, progress }: StageContext<Params>,
): Promise<ExternalReward | undefined> {
  const path = inputs.external as string | undefined, { external_url: url } = params;
  if (path !== undefined && url !== "") {
    throw new UsageError(
      `Cannot take an external reward as it must come from one place: the input external is ${path}, and external_url is given`,
    );
  }
  if (path !== undefined) return await moduleReward(path);
  if (url === "") return undefined;
  return endpointReward({
    url,
    token: Deno.env.get(URL_TOKEN) || undefined,
    timeoutMs: 1000 * params.external_timeout,
    attempts: params.external_attempts,
    batch: params.external_batch,
    signal,
    tell: (message) => progress({ message }),
  });
}

/** The same work, given up where a stop was asked for. */
function* stoppable<T>(work: Work<T>, signal: AbortSignal): Work<T> {
  while (true) {
    checkStop(signal);
    const piece = work.next();
    if (piece.done) return piece.value;
    yield;
  }
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}
