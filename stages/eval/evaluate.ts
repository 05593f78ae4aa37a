/**
 * The evaluation without files: every model answers in every mode, all answers are judged together, and figures become
 * means.
 * @module
 */
import type { EvalRow } from "@/lib/contracts/evals.ts";
import type { SampleRow } from "@/lib/contracts/samples.ts";
import type { StageProgress } from "@/lib/contracts/stage.ts";
import { Generator } from "@/lib/generate/generator.ts";
import { frozenNetwork } from "@/lib/reward/frozen_networks.ts";
import { loadSpecialIds } from "@/lib/text/load_special_ids.ts";
import { answerPrompts } from "./answer_prompts.ts";
import { type Answer, judgeAnswers } from "./judge_answers.ts";
import { sampleRows } from "./judged_answer.ts";
import { metricRows } from "./metrics.ts";
import type { Params } from "./params.ts";
import type { Evaluation } from "./read_inputs.ts";
import { validationNll } from "./validation.ts";

/** How an evaluation runs. */
export interface EvaluateOptions {
  readonly params: Params;
  /** of all models: differences between them are then paired */
  readonly seed: number;
  readonly progress: (progress: StageProgress) => void;
  /** awaited now and then; may throw to stop */
  readonly pause: () => Promise<void>;
}

/** Rows of both outputs. */
export async function evaluate(
  evaluation: Evaluation,
  { params, seed, progress, pause }: EvaluateOptions,
): Promise<{ readonly evals: readonly EvalRow[]; readonly samples: readonly SampleRow[] }> {
  const { models, prompts, tokenizer, heldBack } = evaluation;
  const modes = [...new Set(params.modes)], total = models.length * modes.length;
  const answers: Answer[] = [], eosIds = new Set<number>();
  const foreseen: Omit<EvalRow, "mode">[] = [];
  let step = 0;
  for (const [model, { path, digest }] of models) {
    const network = frozenNetwork(path, digest);
    const generator = new Generator(network.model, network.parameters);
    const own = loadSpecialIds(path).eosIds;
    for (const id of own) eosIds.add(id);
    for (const mode of modes) {
      progress({ step, total, message: `${model} answers, ${mode}` });
      const { tokenizer } = evaluation;
      const rows = await answerPrompts(generator, prompts, {
        mode,
        seed,
        eosIds: own,
        tokenizer,
        params,
        pause,
      });
      answers.push(...rows.map((row) => ({ model, mode, row })));
      progress({ step: ++step, total });
    }
    if (heldBack) foreseen.push({ model, metric: "validation_nll", ...validationNll(network, heldBack) });
    await pause();
  }
  progress({ step, total, message: `judging ${answers.length} answers` });
  const judged = await judgeAnswers(answers, { ...evaluation, eosIds: [...eosIds], pause });
  const evals = models.flatMap(([model]) =>
    modes.flatMap((mode) => [
      ...metricRows(model, mode, judged.filter((answer) => answer.model === model && answer.mode === mode)),
      ...foreseen.filter((row) => row.model === model).map((row) => ({ ...row, mode })),
    ])
  );
  const promptText = (ids: Int32Array) => tokenizer.decode(ids, { skipSpecial: true });
  const samples = sampleRows(judged, prompts.map(({ id }) => id), {
    keptPrompts: params.kept_samples,
    promptText: ({ promptIds }) => promptText(promptIds),
  });
  return { evals, samples };
}
