/**
 * The program `rollout`: samples responses from the policy to the prompts of an iteration.
 * @module
 */
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { type PromptRow, readPrompts } from "@/lib/data/contracts/prompts.ts";
import { writeRollouts } from "@/lib/data/contracts/rollouts.ts";
import { checkSameTokenizer } from "@/lib/data/contracts/same_tokenizer.ts";
import { defineStage, type Ports, type StageContext } from "@/lib/data/contracts/stage.ts";
import { checkStop } from "@/lib/data/contracts/stop.ts";
import { checkExact } from "@/lib/model/generate/exact.ts";
import { Generator } from "@/lib/model/generate/generator.ts";
import { sampleResponses } from "@/lib/model/generate/sample_responses.ts";
import { borrowLanguageModel } from "@/lib/model/models/checkpoint.ts";
import type { Model } from "@/lib/model/models/model.ts";
import { configureCompute } from "@/lib/compute/devices/configure.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadSpecialIds } from "@/lib/data/text/load_special_ids.ts";
import { stopWatch } from "@/lib/data/text/stop_strings.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { batchRows } from "@/lib/model/train/epoch_order.ts";
import { checkFits } from "@/lib/model/train/fit_model.ts";
import { Network } from "@/lib/model/train/network.ts";
import { type Params, params } from "./params.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";
import { rolloutWorkload } from "./workload.ts";

const inputs = {
  prompts: { contract: "prompts@1", description: "prompts to sample responses to" },
  policy: { contract: "model", description: "policy to sample from", handedOver: true },
} as const satisfies Ports;

const outputs = {
  rollouts: { contract: "rollouts@1", description: "responses with their log-probabilities" },
} as const satisfies Ports;

/** The stage; see its README. */
export const stage = defineStage({
  id: "rollout",
  summary: "Samples responses from the policy.",
  params,
  renamed: { rollouts: "prompts_per_iteration" },
  inputs,
  outputs,
  random: true,
  role: "sample",
  workload: rolloutWorkload,
  run,
});

async function run(context: StageContext<Params, typeof inputs, typeof outputs>): Promise<void> {
  const { params, inputs, outputs, seed, iteration, signal, progress, threads, device, handOver } = context;
  configureCompute({ threads, device }, (warning) => progress({ warning }));
  const { policy } = inputs, { stop, temperature, top_k: topK, top_p: topP, batch_size: batchSize } = params;
  const { rows, tokenizerDigest: digest } = readPrompts(inputs.prompts);
  checkSameTokenizer({ prompts: digest, policy: tokenizerDigest(policy) });
  const { eosIds } = loadSpecialIds(policy);
  const { model, parameters } = borrowLanguageModel(policy, handOver);
  checkRequest(params, rows, model, inputs.prompts);
  const tokenizer = stop.length === 0 ? undefined : loadTokenizer(policy);
  const prompts = promptsOfIteration(rows, { seed, iteration, count: params.prompts_per_iteration });
  const total = prompts.length * params.samples_per_prompt, startedAt = performance.now();
  const rollouts = await sampleResponses(new Generator(model, parameters), {
    name: String(iteration),
    prompts,
    samplesPerPrompt: params.samples_per_prompt,
    sampling: { temperature, topK, topP },
    maxNewTokens: params.max_new_tokens,
    eosIds,
    seed,
    batchSize,
    stops: () => tokenizer && stopWatch(tokenizer, stop),
    exact: params.exact ? new Network(model, parameters) : undefined,
    onStep(tokens, finished) {
      checkStop(signal, "this iteration");
      const seconds = (performance.now() - startedAt) / 1000;
      progress({ step: finished, total, fields: { tokens, tokens_per_second: tokens / seconds } });
    },
  });
  await writeRollouts(outputs.rollouts, { rows: rollouts, tokenizerDigest: digest });
}

/**
 * Checks parameters and prompts: all prompts, as an invalid one would otherwise be found in a later iteration only.
 * @throws {UsageError} if `exact` is combined with top-k or top-p, or with a sliding window that is too short
 * @throws {DataError} listing the prompts that leave no room for a response
 */
function checkRequest(
  { exact, top_k, top_p, max_new_tokens: newTokens }: Params,
  prompts: readonly PromptRow[],
  model: Model,
  file: string,
): void {
  if (exact && (top_k !== 0 || top_p !== 1)) {
    throw new UsageError(`exact=true requires top_k=0 and top_p=1, got top_k=${top_k} and top_p=${top_p}`);
  }
  checkFits(prompts.map(({ id, promptIds: ids }) => ({ id, ids })), model, {
    file,
    column: "prompt_ids",
    newTokens,
  });
  if (exact) checkExact(model, largest(prompts.map(({ promptIds }) => promptIds.length)) + newTokens);
}

/**
 * Returns the prompts of an iteration: consecutive slices of shuffles of all prompts, so that each occurs once per pass.
 * @param options.count prompts of an iteration; 0: all
 */
export function promptsOfIteration(
  prompts: readonly PromptRow[],
  { seed, iteration, count }: { readonly seed: number; readonly iteration: number; readonly count: number },
): PromptRow[] {
  return batchRows(seed, prompts.length, count || prompts.length, iteration).map((row) => prompts[row]!);
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
