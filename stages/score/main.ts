/**
 * The program `score`: rollouts get the log-probabilities of SFT model, reward members and base, and their reward.
 * It keeps no state and draws no random numbers.
 * @module
 */
import { join } from "node:path";
import { tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import { readRollouts } from "@/lib/contracts/rollouts.ts";
import { checkSameTokenizer } from "@/lib/contracts/same_tokenizer.ts";
import { writeScored } from "@/lib/contracts/scored.ts";
import { defineStage, type StageContext } from "@/lib/contracts/stage.ts";
import { configureRuntime } from "@/lib/ort/runtime.ts";
import { responseSequence, RewardModel } from "@/lib/reward/reward_model.ts";
import { TryAgainError } from "@/lib/tensor/errors.ts";
import { loadSpecialIds } from "@/lib/text/load_special_ids.ts";
import { loadTokenizer } from "@/lib/text/tokenizer.ts";
import { inTurns, type Work } from "@/lib/train/breathe.ts";
import { checkFits } from "@/lib/train/fit_model.ts";
import { addExternalReward, loadExternalReward } from "./external_reward.ts";
import { type Params, params } from "./params.ts";

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

async function run(
  { params, inputs, outputs, signal, progress, threads }: StageContext<Params>,
): Promise<void> {
  configureRuntime({ threads });
  const path = inputs.external as string | undefined;
  const external = path === undefined ? undefined : { path, reward: await loadExternalReward(path) };
  const sft = inputs.sft as string;
  const { rows, tokenizerDigest: digest } = readRollouts(inputs.rollouts as string);
  const reward = new RewardModel(inputs.reward as string);
  const base = join(reward.directory, reward.manifest.base.path);
  checkSameTokenizer({ rollouts: digest, sft: tokenizerDigest(sft), reward: tokenizerDigest(base) });
  const sequences = rows.map((row) => ({ id: row.id, ids: responseSequence(row).ids }));
  checkFits(sequences, reward.base().model, {
    action: "score",
    file: inputs.rollouts as string,
    column: "response_ids",
  });
  const { bosId } = loadSpecialIds(sft);
  const work = reward.steps(rows, { path: sft }, bosId, (step, total) => progress({ step, total }));
  const scored = await inTurns(stoppable(work, signal));
  const tokenizer = external && loadTokenizer(sft);
  const paid = external
    ? await addExternalReward(scored, {
      ...external,
      weight: params.external_weight,
      rule: reward.manifest,
      text: (ids, options) => tokenizer!.decode(ids, options),
    })
    : scored;
  await writeScored(outputs.scored!, { rows: paid, tokenizerDigest: digest });
}

/** The same work, given up where a stop was asked for. */
function* stoppable<T>(work: Work<T>, signal: AbortSignal): Work<T> {
  while (true) {
    if (signal.aborted) {
      throw new TryAgainError("Cannot finish score as a stop was asked for: the round is not kept");
    }
    const piece = work.next();
    if (piece.done) return piece.value;
    yield;
  }
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}
