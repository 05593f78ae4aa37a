/**
 * The schema of manifests: zod schemas that check one, the types that the planner reads, and the JSON Schema for editors.
 * The planner checks what spans several entries: references, ports, parameters.
 * @module
 */
import { z } from "zod";

const NAME = /^[a-z][a-z0-9_]*$/;

const name = z.string().regex(NAME, "must be snake_case: a letter, then letters, digits and _").meta({
  id: "name",
});
const reference = z.string().min(1)
  .describe(
    "inputs.NAME, STAGE.OUTPUT, BLOCK.STAGE.OUTPUT, BLOCK.NAME, BLOCK.best.NAME or, inside an iterate block, carry.NAME",
  );
const value = z.json().describe(
  "a value of one of the stage's parameters, or { if_given: [inputs.NAME, STAGE.PARAM], then: VALUE, else: VALUE }",
);

const binding = z.union([reference, z.null(), z.array(reference), z.record(name, reference)])
  .describe("one reference, a list of references, a map of names to references, or null: not given");

/** A stage: its program, its inputs, and its parameters. */
export const stageEntrySchema = z.strictObject({
  uses: z.string().min(1).describe("id of the stage: its folder in stages/"),
  in: z.record(name, binding).default({}).describe("the value of each input port"),
  with: z.record(z.string(), value).default({}).describe("parameters; others have the stage's defaults"),
  seed: z.string().min(1).optional().describe(
    "label from which the stage's seed is derived; default: the stage's name",
  ),
  when: reference.optional().describe(
    "outside of blocks: run only if this input is given, or this output was written",
  ),
  every: z.int().min(1).optional().describe(
    "inside iterate: run only after every N iterations and after the last",
  ),
}).meta({ title: "stage" });

const innerStages = z.record(name, stageEntrySchema).refine(
  (s) => Object.keys(s).length > 0,
  "must have at least one stage",
);

/** Limit of the copies of a `foreach` block: each has stages with files in the store. */
export const MAX_COPIES = 100_000;
/** Limit of the iterations of an `iterate` block. */
export const MAX_ITERATIONS = 1_000_000;

/** Independent copies of some stages; their outputs are lists. */
export const foreachEntrySchema = z.strictObject({
  foreach: z.strictObject({ count: z.int().min(1).max(MAX_COPIES).describe("number of copies") }),
  stages: innerStages,
}).meta({ title: "foreach" });

/** A metric of an iteration: `STAGE.OUTPUT.METRIC`, and for `evals@1` the row. */
const metricShape = {
  metric: z.string().min(1).describe(
    "STAGE.OUTPUT.METRIC of a stage of the block whose output is metrics@1 or evals@1",
  ),
  model: name.optional().describe("for evals@1: the model; required if the stage evaluates several"),
  mode: z.enum(["greedy", "sampled"]).optional().describe("for evals@1: the decoding mode; default greedy"),
};

const untilSchema = z.strictObject({
  ...metricShape,
  above: z.number().optional().describe("end after an iteration whose metric is greater"),
  below: z.number().optional().describe("end after an iteration whose metric is less"),
}).refine((u) => (u.above === undefined) !== (u.below === undefined), "must have either above or below");

const whenSchema = z.strictObject({
  metric: z.string().min(1).describe(
    "STAGE.OUTPUT.METRIC of a stage outside of blocks whose output is metrics@1",
  ),
  above: z.number().optional().describe("run the loop only if the metric is greater"),
  below: z.number().optional().describe("run the loop only if the metric is less"),
}).refine((w) => (w.above === undefined) !== (w.below === undefined), "must have either above or below");

const bestSchema = z.strictObject({
  ...metricShape,
  goal: z.enum(["max", "min"]).default("max").describe(
    "whether the best iteration has the greatest metric or the least",
  ),
  take: z.enum(["next", "carry"]).default("next").describe(
    "value of BLOCK.best: the output (next) or the input (carry) of the best iteration",
  ),
});

/** Iterations, each of which starts from what the previous one carried out. */
export const iterateEntrySchema = z.strictObject({
  iterate: z.strictObject({
    count: z.int().min(1).max(MAX_ITERATIONS).describe("number of iterations"),
    carry: z.record(name, z.union([reference, z.null()])).default({}).describe(
      "initial values for the first iteration; null: none",
    ),
    when: whenSchema.optional().describe(
      "condition for the loop to run at all; else it has no iterations, and BLOCK.NAME is the initial value",
    ),
    until: untilSchema.optional().describe("condition that ends the loop early"),
    best: bestSchema.optional().describe(
      "metric that decides the best iteration, whose values are BLOCK.best",
    ),
    publish: z.int().min(1).default(1).describe(
      "write models and states to the store only after every N iterations and the last; the others stay in memory",
    ),
  }),
  stages: innerStages,
  next: z.record(name, reference).default({}).describe(
    "the value of each carried name in the next iteration",
  ),
}).meta({ title: "iterate" });

const keepSchema = z.strictObject({
  states: z.int().min(1).default(2).describe(
    "optimizer states of a loop to keep: those of the last N iterations",
  ),
  policies: z.int().min(1).default(2).describe("models of a loop to keep: those of the last N iterations"),
  best_metric: z.string().min(1).nullable().default("reward").describe(
    "also keep models of the iteration with the greatest value of this metric of the same stage; null: none",
  ),
});

/** Old keys under `keep` with their new names. */
export const RENAMED_KEEP_KEYS = { best: "best_metric" } as const;

/** The whole manifest. */
export const manifestSchema = z.strictObject({
  description: z.string().optional().describe("one line about the pipeline"),
  seed: z.int().min(0).default(0).describe("seed of the run; --seed replaces it"),
  inputs: z.record(name, z.union([z.string().min(1), z.null()])).default({})
    .describe("files and folders by name, relative to the project; null: given with --input"),
  stages: z.record(name, z.union([stageEntrySchema, foreachEntrySchema, iterateEntrySchema]))
    .refine((s) => Object.keys(s).length > 0, "must have at least one stage"),
  outputs: z.record(name, reference).default({}).describe(
    "values that are copied to outputs/NAME of the run directory",
  ),
  keep: z.union([z.literal("all"), keepSchema]).default({ states: 2, policies: 2, best_metric: "reward" })
    .describe("which models and states of a loop's iterations are kept in the store"),
});

/** A reference or a group of references, as written. */
export type BindingEntry = z.output<typeof binding>;
/** A stage as written, defaults filled in. */
export type StageEntry = z.output<typeof stageEntrySchema>;
/** A metric of an iteration as written. */
export type MetricEntry = Pick<z.output<typeof untilSchema>, keyof typeof metricShape>;
/** An `iterate` block as written. */
export type IterateEntry = z.output<typeof iterateEntrySchema>;
/** A checked manifest. */
export type Manifest = z.output<typeof manifestSchema>;
/** How much of a loop stays in the store. */
export type Keep = Manifest["keep"];

/** Returns the JSON Schema (draft 2020-12) of a manifest, as published in `pipelines/pipeline.schema.json`. */
export function manifestJsonSchema(): Record<string, unknown> {
  return { title: "srppo pipeline manifest", ...z.toJSONSchema(manifestSchema, { io: "input" }) };
}
