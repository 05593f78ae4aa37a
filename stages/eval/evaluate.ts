/**
 * The evaluation without files: every model is sampled in every mode, all responses are scored together, and their metrics are
 * averaged.
 * @module
 */
import type { DifferenceOfModels } from "@/lib/data/contracts/differences.ts";
import type { DecodingMode, EvalRow } from "@/lib/data/contracts/evals.ts";
import type { SampleRow } from "@/lib/data/contracts/samples.ts";
import type { StageProgress } from "@/lib/data/contracts/stage.ts";
import { stoppable } from "@/lib/data/contracts/stop.ts";
import { Generator } from "@/lib/model/generate/generator.ts";
import { sampleResponses } from "@/lib/model/generate/sample_responses.ts";
import type { Sampling } from "@/lib/model/generate/sampler.ts";
import { frozenNetwork } from "@/lib/model/reward/frozen_networks.ts";
import { loadSpecialIds } from "@/lib/data/text/load_special_ids.ts";
import { tokenPieces } from "@/lib/data/text/stream_decoder.ts";
import { stopWatch } from "@/lib/data/text/stop_strings.ts";
import { runYielding } from "@/lib/model/train/event_loop.ts";
import { benchmarkMetrics } from "./benchmarks.ts";
import { evaluationSamples, type SampledResponse } from "./evaluated_response.ts";
import { clusterMean, type Clusters } from "@/lib/model/benchmarks/statistics/cluster_mean.ts";
import { differencesOf } from "./differences.ts";
import { type MeasuredModel, measuredModel } from "./metrics.ts";
import type { Params } from "./params.ts";
import type { Evaluation } from "./read_inputs.ts";
import { scoreResponses } from "./score_responses.ts";
import { validationNll } from "./validation.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

/** How an evaluation runs. */
export interface EvaluateOptions {
  readonly params: Params;
  /** of all models, so that differences between them are paired */
  readonly seed: number;
  readonly progress: (progress: StageProgress) => void;
  /** called after every step of a model; may throw to stop */
  readonly onPiece: () => void;
}

/** Rows of the outputs. */
export interface EvaluationRows {
  readonly evals: readonly EvalRow[];
  readonly differences: readonly DifferenceOfModels[];
  readonly samples: readonly SampleRow[];
}

/** Returns the rows of all outputs. */
export async function evaluateModels(
  evaluation: Evaluation,
  { params, seed, progress, onPiece }: EvaluateOptions,
): Promise<EvaluationRows> {
  const { models, prompts, tokenizer, validation } = evaluation;
  const modes = [...new Set(params.modes)], total = models.length * modes.length;
  const responses: SampledResponse[] = [], allEosIds = new Set<number>();
  const validationClusters = new Map<string, Clusters>();
  const benchmarkRows: EvalRow[] = [];
  let step = 0;
  for (const [model, { path, digest }] of models) {
    const network = frozenNetwork(path, digest), { eosIds } = loadSpecialIds(path);
    const generator = new Generator(network.model, network.parameters);
    for (const id of eosIds) allEosIds.add(id);
    for (const mode of modes) {
      progress({ step, total, message: `sampling from ${model}, ${mode}` });
      const rows = await sampleResponses(generator, {
        name: "eval", // without the model's name: compared models share their random numbers
        prompts,
        samplesPerPrompt: mode === "greedy" ? 1 : params.samples_per_prompt,
        sampling: samplingOf(mode, params),
        maxNewTokens: params.max_new_tokens,
        eosIds,
        seed,
        batchSize: params.batch_size,
        stops: () => stopWatch(tokenizer, params.stop),
        onStep: onPiece,
      });
      append(responses, rows.map((row) => ({ model, mode, row })));
      progress({ step: ++step, total });
    }
    append(
      benchmarkRows,
      await benchmarkMetrics({ model, network, path }, evaluation, {
        params,
        seed,
        onPiece,
        progress: (message) => progress({ step, total, message }),
      }),
    );
    if (validation) {
      const work = stoppable(validationNll(network, validation), onPiece);
      validationClusters.set(model, await runYielding(work));
    }
  }
  progress({ step, total, message: `scoring ${responses.length} responses` });
  const evaluated = await scoreResponses(responses, { ...evaluation, eosIds: [...allEosIds], onPiece });
  const measured = models.flatMap(([model]) =>
    modes.map((mode) => {
      const own = evaluated.filter((row) => row.model === model && row.mode === mode);
      return withValidation(measuredModel(model, mode, own, seed), validationClusters.get(model));
    })
  );
  const evals = measured.flatMap(({ rows }) => rows), differences = differencesOf(measured);
  const samples = evaluationSamples(evaluated, prompts.map(({ id }) => id), {
    keptPrompts: params.kept_samples,
    tokenTexts: ({ responseIds }) => tokenPieces(tokenizer, responseIds),
    promptText: ({ promptIds }) => tokenizer.decode(promptIds, { skipSpecial: true }),
  });
  return { evals: [...evals, ...benchmarkRows], differences, samples };
}

/** Adds the NLL of held-out demonstrations, which does not depend on the decoding mode. */
function withValidation(measured: MeasuredModel, found: Clusters | undefined): MeasuredModel {
  if (found === undefined) return measured;
  const { model, mode, rows, clusters } = measured, metric = "validation_nll";
  return {
    ...measured,
    rows: [...rows, { model, mode, metric, ...clusterMean(found.values()), n: found.size }],
    clusters: new Map([...clusters, [metric, found]]),
  };
}

function samplingOf(mode: DecodingMode, { temperature, top_k: topK, top_p: topP }: Params): Sampling {
  return mode === "greedy" ? { temperature: 0 } : { temperature, topK, topP };
}
