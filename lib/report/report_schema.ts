/**
 * The content of report.json, version 3. docs/report.schema.json is made from this file, and docs/report.md explains it.
 * @module
 */
import { z } from "zod";

const mode = z.enum(["greedy", "sampled"]).describe(
  "greedy decoding, or sampling with the eval stage's settings",
);
const seconds = z.number().nonnegative();
const count = z.int().nonnegative();
const index = count.nullable().describe("copy within a foreach, from 0; null outside");
const iteration = count.nullable().describe("iteration within an iterate block, from 0; null outside loops");
const words = z.array(z.string()).describe("words that the checker looks for; empty without such a checker");

const ModelRow = z.strictObject({
  name: z.string().describe("name among the models of the evaluating stage: base, sft, srppo, …"),
  base: z.boolean().describe("the base model of the evaluation; findings leave it out"),
});

const ComparisonRow = z.strictObject({
  model: z.string().describe("name of a model"),
  mode,
  metric: z.string().describe("score, both_words, eos_rate, response_length, kl_to_sft, reward, base_nll, …"),
  mean: z.number(),
  stderr: z.number().describe(
    "standard error of the mean over the evaluation prompts of this run; 0: not known, or all values are equal",
  ),
  n: count.describe("responses that the mean is over"),
});

const BenchmarkRow = z.strictObject({
  model: z.string().describe("name of a model"),
  task: z.string().describe("ifeval, gsm8k, …"),
  version: z.string().describe("version of the task"),
  template: z.string().describe("plain, or the chat template"),
  metric: z.string().describe("prompt_level_strict_acc, exact_match,strict-match, …"),
  mean: z.number(),
  stderr: z.number().describe("standard error of the mean over the benchmark's documents"),
  n: count.describe("documents, or their parts, that the mean is over"),
});

const DifferenceRow = z.strictObject({
  model: z.string().describe("the last model"),
  against: z.string().describe("the model that it is compared with"),
  mode,
  metric: z.string(),
  mean: z.number().describe("mean of model minus mean of against"),
  low: z.number().nullable().describe(
    "lower end of the 95 % interval; null: fewer than two prompts, or no prompt differs from another",
  ),
  high: z.number().nullable().describe("upper end"),
  n: count.describe("prompts that the difference is over; unpaired: responses"),
  method: z.enum(["paired", "bootstrap", "unpaired"]).describe(
    "paired: differences of all prompts. bootstrap: resampled prompts. unpaired: from both standard errors",
  ),
});

const EvaluationRow = ComparisonRow.extend({
  stage: z.string().describe("the manifest's path of the evaluating stage, for example ppo.eval"),
  iteration: count.describe("iteration of its loop, from 0"),
}).describe("an evaluation inside a loop");

const BestRow = z.strictObject({
  block: z.string().describe("name of the iterate block"),
  iteration: count.describe("its best iteration, from 0"),
  metric: z.string().describe("what decides which is best, for example eval.score of policy, greedy"),
  value: z.number(),
});

const IterationRow = z.object({
  block: z.string().describe("name of the iterate block"),
  iteration: count.describe("from 0"),
  seconds: seconds.describe("wall seconds of the stages of this iteration, whenever they ran"),
  cached: z.boolean().describe("all stages of the iteration were cached"),
}).catchall(z.number()).describe(
  "one row per iteration; its other keys are metrics: reward, kl_to_sft, response_length, entropy, …",
);

const TrainingRow = z.strictObject({
  stage: z.string(),
  index,
  step: z.number().describe("optimizer step; for a long run, the middle of the steps that the row averages"),
  loss: z.number().describe("nats per supervised token"),
});

const ValidationRow = z.strictObject({
  stage: z.string(),
  index,
  step: count.describe("number of updates before it"),
  loss: z.number().describe("nats per supervised token of the held-out demonstrations"),
  best: z.boolean().describe("the lowest one during training"),
}).describe("a validation loss of a training stage");

const LearningRateRow = z.strictObject({
  stage: z.string(),
  index,
  lr: z.number().positive(),
  loss: z.number().nullable().describe("validation loss after the trial; null: it diverged"),
  chosen: z.boolean(),
}).describe("a trial of a learning rate, with lr=auto of sft");

const TimingRow = z.strictObject({
  stage: z.string().describe("the manifest's path, for example ppo.update"),
  uses: z.string().describe("stage id"),
  index,
  iteration,
  seconds: seconds.describe("wall seconds of the run that made the outputs, now or earlier"),
  tokens: z.number().nonnegative().nullable().describe("tokens processed in that time; null: not reported"),
  tokens_per_second: z.number().nonnegative().nullable(),
  cached: z.boolean().describe("the outputs were cached"),
});

const PhaseRow = z.strictObject({
  uses: z.string().describe("stage id"),
  stages: count.describe("number of its copies and iterations"),
  cached: count.describe("how many of them were cached"),
  seconds: seconds.describe("their wall seconds, now or earlier"),
  tokens: z.number().nonnegative().nullable().describe("tokens processed; null: none of them reported any"),
  tokens_per_second: z.number().nonnegative().nullable().describe(
    "over the seconds of those that reported tokens",
  ),
});

/** A response with its scores. */
export const SampleSchema = z.strictObject({
  model: z.string(),
  mode,
  prompt_id: z.string(),
  prompt: z.string(),
  words,
  response: z.string(),
  finish_reason: z.string(),
  scores: z.record(z.string(), z.number()),
  token_rewards: z.array(z.tuple([z.string(), z.number()])).optional().describe(
    "text and reward, in nats, of each token of the response; absent without a reward",
  ),
});

const RewardRow = z.strictObject({
  stage: z.string().describe("the manifest's path of the stage that built the reward"),
  name: z.string().describe("how the reward is made, for example: mean of 4 members, floor −4"),
  warnings: z.array(z.string()).describe("what to check before PPO runs on it; empty for a sound reward"),
  sentences: z.array(z.string()).describe("results of calibration, preflight and diagnosis"),
}).describe("what is known about a reward before PPO");

const WarningRow = z.strictObject({
  stage: z.string().describe("the manifest's path of the stage that warned"),
  index,
  iteration,
  message: z.string().describe("the warning, as shown on the terminal"),
}).describe("a warning of a stage");

const UpdatesRow = z.strictObject({
  stage: z.string().describe("the manifest's path of the stage that trains"),
  index,
  updates: count.describe("optimizer updates, with those of trials; of a loop, those of all iterations"),
});

/** Machine and software of a run; null where not known. */
export const EnvironmentSchema = z.strictObject({
  cores: count.describe("logical cores of the machine"),
  threads: count.nullable().describe("threads that the run could use"),
  executor: z.string().nullable(),
  os: z.string(),
  arch: z.string(),
  instruction_set: z.string().nullable().describe("widest vector instructions, for example avx512"),
  onnxruntime: z.string().nullable().describe("version of ONNX Runtime"),
  deno: z.string(),
});

/** report.json. */
export const ReportSchema = z.strictObject({
  version: z.literal(3, { error: ({ input }) => `must be 3, got ${JSON.stringify(input)}` }),
  manifest: z.string(),
  seed: count,
  seconds: seconds.describe("wall seconds of this run"),
  stage_seconds: seconds.describe("sum over all stages, cached ones with the seconds of when they ran"),
  headline: z.string().describe("the result in one sentence"),
  findings: z.array(z.string()).describe("the key differences, each with its uncertainty"),
  models: z.array(ModelRow).describe(
    "compared models in the manifest's order; the last is compared with the others",
  ),
  comparison: z.array(ComparisonRow),
  benchmarks: z.array(BenchmarkRow).default([]).describe("results of the models on known benchmarks"),
  differences: z.array(DifferenceRow),
  iterations: z.array(IterationRow),
  evaluations: z.array(EvaluationRow),
  best: z.array(BestRow),
  training: z.array(TrainingRow),
  validation: z.array(ValidationRow),
  learning_rates: z.array(LearningRateRow),
  timings: z.array(TimingRow),
  phases: z.array(PhaseRow),
  samples: z.array(SampleSchema),
  rewards: z.array(RewardRow),
  warnings: z.array(WarningRow),
  updates: z.array(UpdatesRow),
  environment: EnvironmentSchema,
  parameters: z.record(z.string(), z.record(z.string(), z.unknown())).describe(
    "parameters of every stage, by its path",
  ),
  outputs: z.record(z.string(), z.string()).describe(
    "paths by the manifest's output keys, relative to the report",
  ),
});

/** The content of report.json. */
export type Report = z.output<typeof ReportSchema>;

/** Machine and software of a run. */
export type Environment = z.output<typeof EnvironmentSchema>;
