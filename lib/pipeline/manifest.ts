/**
 * What a manifest may say: the zod schemas that check one, the types that the planner reads, and the JSON Schema for
 * editors. Meaning across entries (references, ports, parameters) is the planner's matter.
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
const value = z.json().describe("a value of one of the stage's parameters");

const binding = z.union([reference, z.null(), z.array(reference), z.record(name, reference)])
  .describe("one reference, a list of them, a map of names to them, or null: not given");

/** A stage: which program, what it reads, and its parameters. */
export const stageEntrySchema = z.strictObject({
  uses: z.string().min(1).describe("id of the stage: its folder in stages/"),
  in: z.record(name, binding).default({}).describe("what each input port reads"),
  with: z.record(z.string(), value).default({}).describe("parameters; the rest keep the stage's defaults"),
  seed: z.string().min(1).optional().describe(
    "label that the stage's seed is made of; default: the stage's name",
  ),
  every: z.int().min(1).optional().describe(
    "inside iterate: run after every N rounds and after the last only",
  ),
}).meta({ title: "stage" });

const innerStages = z.record(name, stageEntrySchema).refine(
  (s) => Object.keys(s).length > 0,
  "must name a stage",
);

/** Independent copies of some stages; their outputs come out as lists. */
export const foreachEntrySchema = z.strictObject({
  foreach: z.strictObject({ count: z.int().min(1).describe("number of copies") }),
  stages: innerStages,
}).meta({ title: "foreach" });

/** A figure of a round: `STAGE.OUTPUT.METRIC`, and of `evals@1` which row. */
const figureShape = {
  metric: z.string().min(1).describe(
    "STAGE.OUTPUT.METRIC of a stage of the block whose output is metrics@1 or evals@1",
  ),
  model: name.optional().describe("of evals@1: the model; needed where the stage evaluates several"),
  mode: z.enum(["greedy", "sampled"]).optional().describe(
    "of evals@1: how answers were decoded; default greedy",
  ),
};

const untilSchema = z.strictObject({
  ...figureShape,
  above: z.number().optional().describe("end after a round whose metric is greater"),
  below: z.number().optional().describe("end after a round whose metric is less"),
}).refine((u) => (u.above === undefined) !== (u.below === undefined), "must give either above or below");

const bestSchema = z.strictObject({
  ...figureShape,
  goal: z.enum(["max", "min"]).default("max").describe(
    "the best round has the greatest figure, or the least",
  ),
  take: z.enum(["next", "carry"]).default("next").describe(
    "BLOCK.best is what the best round carried out (next), or what it started from (carry)",
  ),
});

/** Rounds, each of which starts from what the one before carried over. */
export const iterateEntrySchema = z.strictObject({
  iterate: z.strictObject({
    count: z.int().min(1).describe("number of rounds"),
    carry: z.record(name, z.union([reference, z.null()])).default({}).describe(
      "what the first round starts from",
    ),
    until: untilSchema.optional().describe("ends the loop early"),
    best: bestSchema.optional().describe("tells the best round, whose values BLOCK.best gives"),
    publish: z.int().min(1).default(1).describe(
      "write models and states to the store after every N rounds and the last; in between they are in memory only",
    ),
  }),
  stages: innerStages,
  next: z.record(name, reference).default({}).describe("what each carried name is in the next round"),
}).meta({ title: "iterate" });

const keepSchema = z.strictObject({
  states: z.int().min(1).default(2).describe("of a loop's optimizer states, keep those of the last N rounds"),
  policies: z.int().min(1).default(2).describe("of a loop's models, keep those of the last N rounds"),
  best: z.string().min(1).nullable().default("reward")
    .describe("and those of the round where this metric of the same stage is greatest; null: none"),
});

/** Keys of the manifest's parts, for suggestions. */
export const MANIFEST_KEYS = {
  stage: [...Object.keys(stageEntrySchema.shape), "foreach", "iterate"],
  foreach: Object.keys(foreachEntrySchema.shape),
  iterate: Object.keys(iterateEntrySchema.shape),
  ofForeach: Object.keys(foreachEntrySchema.shape.foreach.shape),
  ofIterate: Object.keys(iterateEntrySchema.shape.iterate.shape),
  until: Object.keys(untilSchema.shape),
  best: Object.keys(bestSchema.shape),
  keep: Object.keys(keepSchema.shape),
} as const;

/** The whole manifest. */
export const manifestSchema = z.strictObject({
  description: z.string().optional(),
  seed: z.int().min(0).default(0).describe("seed of the run; --seed replaces it"),
  inputs: z.record(name, z.union([z.string().min(1), z.null()])).default({})
    .describe("files and folders by name, relative to the project; null: must or may be given by --input"),
  stages: z.record(name, z.union([stageEntrySchema, foreachEntrySchema, iterateEntrySchema]))
    .refine((s) => Object.keys(s).length > 0, "must name a stage"),
  outputs: z.record(name, reference).default({}).describe(
    "what is copied to outputs/NAME of the run directory",
  ),
  keep: z.union([z.literal("all"), keepSchema]).default({ states: 2, policies: 2, best: "reward" })
    .describe("which of a loop's models stay in the store"),
  report: z.record(z.string(), value).optional().describe("hints for the report"),
});

/** A reference or a group of them, as written. */
export type BindingEntry = z.output<typeof binding>;
/** A stage as written, defaults filled in. */
export type StageEntry = z.output<typeof stageEntrySchema>;
/** A `foreach` block as written. */
export type ForeachEntry = z.output<typeof foreachEntrySchema>;
/** A figure of a round as written. */
export type FigureEntry = Pick<z.output<typeof untilSchema>, keyof typeof figureShape>;
/** An `iterate` block as written. */
export type IterateEntry = z.output<typeof iterateEntrySchema>;
/** A checked manifest. */
export type Manifest = z.output<typeof manifestSchema>;
/** How much of a loop stays in the store. */
export type Keep = Manifest["keep"];

/** JSON Schema (draft 2020-12) of a manifest, as published in `pipelines/pipeline.schema.json`. */
export function manifestJsonSchema(): Record<string, unknown> {
  return { title: "srppo pipeline manifest", ...z.toJSONSchema(manifestSchema, { io: "input" }) };
}
