/**
 * The program `rollout`: a policy answers the prompts of a round.
 * @module
 */
import { tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import { readPrompts } from "@/lib/contracts/prompts.ts";
import { writeRollouts } from "@/lib/contracts/rollouts.ts";
import { checkSameTokenizer } from "@/lib/contracts/same_tokenizer.ts";
import { defineStage, type StageContext } from "@/lib/contracts/stage.ts";
import { checkExact } from "@/lib/generate/exact.ts";
import { Generator } from "@/lib/generate/generator.ts";
import { borrowLanguageModel } from "@/lib/models/checkpoint.ts";
import { configureRuntime } from "@/lib/ort/runtime.ts";
import { TryAgainError, UsageError } from "@/lib/tensor/errors.ts";
import { loadSpecialIds } from "@/lib/text/load_special_ids.ts";
import { stopWatch } from "@/lib/text/stop_strings.ts";
import { loadTokenizer } from "@/lib/text/tokenizer.ts";
import { checkFits } from "@/lib/train/fit_model.ts";
import { Network } from "@/lib/train/network.ts";
import { type Params, params } from "./params.ts";
import { rollOut } from "./rollout.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "rollout",
  summary: "Lets a policy answer the prompts of a round.",
  params,
  inputs: {
    prompts: { contract: "prompts@1", description: "what to answer" },
    policy: { contract: "model", description: "the model that answers", handedOver: true },
  },
  outputs: {
    rollouts: { contract: "rollouts@1", description: "answers with their log-probabilities" },
  },
  random: true,
  run,
});

async function run(
  { params, inputs, outputs, seed, iteration, signal, progress, threads, handOver }: StageContext<Params>,
): Promise<void> {
  configureRuntime({ threads });
  checkPlain(params);
  const policy = inputs.policy as string;
  const { rows: prompts, tokenizerDigest: digest } = readPrompts(inputs.prompts as string);
  checkSameTokenizer({ prompts: digest, policy: tokenizerDigest(policy) });
  const { eosIds } = loadSpecialIds(policy);
  const { model, parameters } = borrowLanguageModel(policy, handOver);
  // All prompts, not this round's only: a later round would find the others too late.
  checkFits(prompts.map(({ id, promptIds: ids }) => ({ id, ids })), model, {
    file: inputs.prompts as string,
    column: "prompt_ids",
    newTokens: params.max_new_tokens,
  });
  if (params.exact) {
    checkExact(model, Math.max(...prompts.map(({ promptIds }) => promptIds.length)) + params.max_new_tokens);
  }
  const generator = new Generator(model, parameters);
  const tokenizer = params.stop.length === 0 ? undefined : loadTokenizer(policy);
  const total = (params.prompts_per_iteration || prompts.length) * params.samples_per_prompt;
  const startedAt = performance.now();
  const rows = await rollOut(generator, prompts, params, {
    seed,
    iteration,
    eosIds,
    ...(tokenizer ? { stops: () => stopWatch(tokenizer, params.stop)! } : {}),
    exact: params.exact ? new Network(model, parameters) : undefined,
    onStep(tokens, finished) {
      if (signal.aborted) {
        throw new TryAgainError("Cannot finish rollout as a stop was asked for: the round is not kept");
      }
      const seconds = (performance.now() - startedAt) / 1000;
      progress({ step: finished, total, fields: { tokens, tokens_per_second: tokens / seconds } });
    },
  });
  await writeRollouts(outputs.rollouts!, { rows, tokenizerDigest: digest });
}

/** @throws {UsageError} if answers are to be exact and cut */
function checkPlain({ exact, top_k, top_p }: Params): void {
  if (!exact || (top_k === 0 && top_p === 1)) return;
  throw new UsageError(
    `Cannot answer exactly as top_k must be 0 and top_p 1, for the policy that is trained is not cut: they are ${top_k} and ${top_p}`,
  );
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}
