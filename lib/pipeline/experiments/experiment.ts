/**
 * The zod schema of an experiment file, and its JSON Schema for editors. `resolve_runs.ts` checks that its manifests,
 * stages and models exist.
 * @module
 */
import { z } from "zod";

const NAME = /^[a-z][a-z0-9_]*$/;
const name = z.string().regex(NAME, "must be snake_case: a letter, then letters, digits and _").meta({
  id: "name",
});

const set = z.array(z.string().min(1)).default([]).describe(
  "STAGE.PARAM=VALUE, BLOCK.STAGE.PARAM=VALUE or BLOCK.count=N, as for --set; later ones win",
);
const inputs = z.record(name, z.string().min(1)).default({}).describe(
  "replaces inputs of the manifest: paths relative to the project, models on the hub, or prepare.NAME.OUTPUT",
);
const manifest = z.string().min(1).describe("path of a manifest, relative to the project");

const seedList = z.array(z.int().min(0)).min(1).refine(
  (list) => new Set(list).size === list.length,
  "must not repeat a seed",
);
const seeds = z.union([z.int().min(1).max(10_000), seedList]).describe(
  "number of seeds (0 to N − 1), or a list of seeds",
);

/** A run that runs once, before the others, which read its outputs. */
const prepareSchema = z.strictObject({
  manifest,
  seed: z.int().min(0).default(0).describe("seed of this run"),
  set,
  inputs,
}).meta({ title: "prepare" });

/** One compared model: one that a manifest evaluates. */
const armSchema = z.strictObject({
  label: z.string().min(1).optional().describe("name in tables; default: the arm's name"),
  manifest: manifest.optional().describe("default: the experiment's"),
  model: z.string().min(1).optional().describe(
    "one of the models that the manifest evaluates; default: the last of them",
  ),
  set,
  inputs,
  seeds: seeds.optional().describe("for an arm with fewer seeds; default: the experiment's"),
}).meta({ title: "arm" });

/** One value of an axis of the grid. */
const pointSchema = z.strictObject({
  value: z.union([z.number(), z.string().min(1)]).describe("value on the axis"),
  set,
  inputs,
}).meta({ title: "point" });

const axisSchema = z.array(pointSchema).min(1).refine(
  (points) => new Set(points.map(({ value }) => value)).size === points.length,
  "must not repeat a value",
);

/** The whole file. */
export const experimentSchema = z.strictObject({
  description: z.string().optional().describe("the question, in one sentence"),
  seeds: seeds.default(5).describe("seeds of all arms; --seeds replaces them"),
  manifest: manifest.optional().describe("for arms without a manifest of their own"),
  set: set.describe("for every arm whose manifest has the stage; grid and arms override it"),
  inputs: inputs.describe("for every arm whose manifest has the input"),
  prepare: z.record(name, prepareSchema).default({}).describe(
    "runs that run once, before the others, which read their outputs as prepare.NAME.OUTPUT",
  ),
  arms: z.record(name, armSchema).refine(
    (arms) => Object.keys(arms).length > 0,
    "must have at least one arm",
  ),
  control: z.union([name, z.array(name).min(1)]).optional().describe(
    "the arm, or arms, that all others are compared with, paired by seed",
  ),
  metric: z.string().min(1).default("score").describe(
    "metric of differences and charts; tables have all metrics",
  ),
  grid: z.record(name, axisSchema).default({}).describe(
    "axes; every arm runs at every combination of their values",
  ),
});

/** A checked experiment. */
export type Experiment = z.output<typeof experimentSchema>;

/** Allowed keys by place, for suggestions. */
export const EXPERIMENT_KEYS = {
  top: Object.keys(experimentSchema.shape),
  arms: Object.keys(armSchema.shape),
  prepare: Object.keys(prepareSchema.shape),
  grid: Object.keys(pointSchema.shape),
} as const;

/** Returns the JSON Schema (draft 2020-12) of an experiment, as published in `pipelines/experiments/experiment.schema.json`. */
export function experimentJsonSchema(): Record<string, unknown> {
  return { title: "srppo experiment", ...z.toJSONSchema(experimentSchema, { io: "input" }) };
}
