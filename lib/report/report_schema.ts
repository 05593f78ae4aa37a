/**
 * What report.json holds, version 1. docs/report.schema.json is made from this file, and docs/report.md explains it.
 * @module
 */
import { z } from "zod";

const mode = z.enum(["greedy", "sampled"]).describe(
  "greedy decoding, or sampling as the eval stage was told",
);
const seconds = z.number().nonnegative();
const count = z.int().nonnegative();
const index = count.nullable().describe("copy within a foreach, from 0; null outside");

const ComparisonRow = z.strictObject({
  model: z.string().describe("base, sft, continued_sft, srppo, or another name given to the eval stage"),
  mode,
  metric: z.string().describe("score, both_words, eos_rate, response_length, kl_to_sft, reward, base_nll, …"),
  mean: z.number(),
  stderr: z.number().describe("standard error of the mean over the evaluation prompts of this run"),
  n: count.describe("answers that the mean is over"),
});

const DifferenceRow = z.strictObject({
  model: z.string().describe("the model under test"),
  against: z.string().describe("the model it is compared with"),
  mode,
  metric: z.string(),
  mean: z.number().describe("mean of model minus mean of against"),
  stderr: z.number().describe("of the paired differences where paired, else the root of the summed squares"),
  n: count,
  paired: z.boolean().describe("whether the answers to the same prompts were subtracted one by one"),
});

const EvaluationRow = ComparisonRow.extend({
  stage: z.string().describe("the manifest's path of the evaluating stage, for example ppo.eval"),
  iteration: count.describe("round of its loop, from 0"),
}).describe("an evaluation inside a loop");

const BestRow = z.strictObject({
  block: z.string().describe("name of the iterate block"),
  iteration: count.describe("its best round, from 0"),
  metric: z.string().describe("what decides the best iteration, for example eval.score of policy, greedy"),
  value: z.number(),
});

const RoundRow = z.object({
  block: z.string().describe("name of the iterate block"),
  iteration: count.describe("round, from 0"),
  seconds: seconds.describe("wall seconds of the stages of this round, whenever they ran"),
  cached: z.boolean().describe("all of the round came from the store"),
}).catchall(z.number()).describe(
  "one row per round; its other keys are the metrics of ppo-update: reward, kl, response_length, entropy, …",
);

const TrainingRow = z.strictObject({
  stage: z.string(),
  index,
  step: z.number().describe("optimizer step; of a long run, the middle of the steps that the row averages"),
  loss: z.number().describe("nats per supervised token"),
});

const TimingRow = z.strictObject({
  stage: z.string().describe("the manifest's path, for example ppo.update"),
  uses: z.string().describe("stage id"),
  index,
  iteration: count.nullable().describe("round within an iterate block, from 0; null outside loops"),
  seconds: seconds.describe("wall seconds of the run that made the outputs, now or earlier"),
  tokens: z.number().nonnegative().nullable().describe(
    "tokens that it worked on in that time; null: not told",
  ),
  tokens_per_second: z.number().nonnegative().nullable(),
  cached: z.boolean().describe("the outputs came from the store"),
});

const PhaseRow = z.strictObject({
  uses: z.string().describe("stage id"),
  stages: count.describe("copies and rounds of it"),
  cached: count.describe("how many of them came from the store"),
  seconds: seconds.describe("their wall seconds, those from the store counted with what they once took"),
  tokens: z.number().nonnegative().nullable().describe("tokens that they worked on; null: none of them told"),
  tokens_per_second: z.number().nonnegative().nullable().describe("over the seconds of those that told"),
});

const SampleRow = z.strictObject({
  model: z.string(),
  mode,
  prompt_id: z.string(),
  prompt: z.string(),
  words: z.array(z.string()).describe("what the checker looks for; empty when there is no such checker"),
  response: z.string(),
  finish_reason: z.string(),
  scores: z.record(z.string(), z.number()),
});

const RewardRow = z.strictObject({
  stage: z.string().describe("the manifest's path of the build-reward stage"),
  warnings: z.array(z.string()).describe(
    "what a person should know before PPO runs on it; empty for a sound one",
  ),
  sentences: z.array(z.string()).describe("what calibration, preflight and diagnosis found"),
}).describe("a reward as its stage tried it out");

const WarningRow = z.strictObject({
  stage: z.string().describe("the manifest's path of the stage that warned"),
  index,
  iteration: count.nullable().describe("round within an iterate block, from 0; null outside loops"),
  message: z.string().describe("the warning, as it stood on the screen"),
}).describe("something that a person should look at");

const Updates = z.strictObject({
  sft: count.nullable().describe("optimizer updates of supervised fine-tuning"),
  members: z.array(count).describe("those of every member of the reward"),
  policy: count.nullable().describe("policy updates that PPO made"),
  continued_sft: count.nullable().describe("further supervised updates from the SFT model"),
});

/** Where and with what the run was made; null where it is not known. */
export const EnvironmentSchema = z.strictObject({
  cores: count.describe("logical cores of the machine"),
  threads: count.nullable().describe("threads that the run was given"),
  executor: z.string().nullable(),
  os: z.string(),
  arch: z.string(),
  instruction_set: z.string().nullable().describe("widest vector instructions, for example avx512"),
  onnxruntime: z.string().nullable().describe("version of ONNX Runtime"),
  deno: z.string(),
});

/** report.json. */
export const ReportSchema = z.strictObject({
  version: z.literal(1),
  manifest: z.string(),
  seed: count,
  seconds: seconds.describe("wall seconds of this run"),
  stage_seconds: seconds.describe(
    "sum over all stages, those from the store counted with what they once took",
  ),
  headline: z.string().describe("the result in one sentence"),
  findings: z.array(z.string()).describe("the differences that matter, each with its uncertainty"),
  comparison: z.array(ComparisonRow),
  differences: z.array(DifferenceRow),
  rounds: z.array(RoundRow),
  evaluations: z.array(EvaluationRow),
  best: z.array(BestRow),
  training: z.array(TrainingRow),
  timings: z.array(TimingRow),
  phases: z.array(PhaseRow),
  samples: z.array(SampleRow),
  rewards: z.array(RewardRow),
  warnings: z.array(WarningRow),
  updates: Updates,
  environment: EnvironmentSchema,
  parameters: z.record(z.string(), z.record(z.string(), z.unknown())).describe(
    "parameters of every stage, by its name",
  ),
  outputs: z.record(z.string(), z.string()).describe(
    "paths by the manifest's output keys, relative to the report",
  ),
});

/** The content of report.json. */
export type Report = z.output<typeof ReportSchema>;

/** Where and with what a run was made. */
export type Environment = z.output<typeof EnvironmentSchema>;

/** The JSON Schema of report.json, as docs/report.schema.json holds it. */
export function reportJsonSchema(): string {
  const schema = z.toJSONSchema(ReportSchema, { target: "draft-2020-12" });
  return `${JSON.stringify({ title: "report.json, version 1", ...schema }, null, 2)}\n`;
}
