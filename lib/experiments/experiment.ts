/**
 * What an experiment file may say: the zod schema that checks one, and the JSON Schema for editors. Whether its manifests,
 * stages and models exist is the matter of `resolve_runs.ts`.
 * @module
 */
import { z } from "zod";

const NAME = /^[a-z][a-z0-9_]*$/;
const name = z.string().regex(NAME, "must be snake_case: a letter, then letters, digits and _").meta({
  id: "name",
});

const set = z.array(z.string().min(1)).default([]).describe(
  "STAGE.PARAM=VALUE, BLOCK.STAGE.PARAM=VALUE or BLOCK.count=N, as behind --set; later ones win",
);
const inputs = z.record(name, z.string().min(1)).default({}).describe(
  "replaces inputs of the manifest: paths relative to the project, models on the hub, or prepare.NAME.OUTPUT",
);
const manifest = z.string().min(1).describe("path of a manifest, relative to the project");

const seedList = z.array(z.int().min(0)).min(1).refine(
  (list) => new Set(list).size === list.length,
  "must name every seed once",
);
const seeds = z.union([z.int().min(1), seedList]).describe("how many seeds, from 0 on, or a list of them");

/** A run that is made once, before the others, which read its outputs. */
export const prepareSchema = z.strictObject({
  manifest,
  seed: z.int().min(0).default(0).describe("seed of this run, whatever those of the arms are"),
  set,
  inputs,
}).meta({ title: "prepare" });

/** One thing that is compared: a model that a manifest evaluates. */
export const armSchema = z.strictObject({
  label: z.string().min(1).optional().describe("how people read it; default: the arm's name"),
  manifest: manifest.optional().describe("default: the experiment's"),
  model: z.string().min(1).default("srppo").describe(
    "which of the models that the manifest's eval stage compares; arms of equal runs share them",
  ),
  set,
  inputs,
  seeds: seeds.optional().describe("where this arm has fewer; default: the experiment's"),
}).meta({ title: "arm" });

/** One value of an axis of the grid. */
export const pointSchema = z.strictObject({
  value: z.union([z.number(), z.string().min(1)]).describe("what stands on the axis"),
  set,
  inputs,
}).meta({ title: "point" });

const axisSchema = z.array(pointSchema).min(1).refine(
  (points) => new Set(points.map(({ value }) => value)).size === points.length,
  "must name every value once",
);

/** The whole file. */
export const experimentSchema = z.strictObject({
  description: z.string().optional().describe("what is asked, in a sentence"),
  seeds: seeds.default(5).describe("seeds of all arms; --seeds replaces them"),
  manifest: manifest.optional().describe("of arms that name none"),
  set: set.describe("for every arm whose manifest has the stage; arms and grid come after"),
  inputs: inputs.describe("for every arm whose manifest has the input"),
  prepare: z.record(name, prepareSchema).default({}).describe(
    "runs that are made once, before the others, which read their outputs as prepare.NAME.OUTPUT",
  ),
  arms: z.record(name, armSchema).refine((arms) => Object.keys(arms).length > 0, "must name an arm"),
  control: z.union([name, z.array(name).min(1)]).optional().describe(
    "the arm, or the arms, that every other is compared with, seed by seed",
  ),
  metric: z.string().min(1).default("score").describe("what the report is about; all others are in it too"),
  grid: z.record(name, axisSchema).default({}).describe(
    "axes; every arm runs at every combination of their values",
  ),
});

/** A checked experiment. */
export type Experiment = z.output<typeof experimentSchema>;

/** The keys that may stand at a place, for suggestions. */
export const EXPERIMENT_KEYS = {
  top: Object.keys(experimentSchema.shape),
  arms: Object.keys(armSchema.shape),
  prepare: Object.keys(prepareSchema.shape),
  grid: Object.keys(pointSchema.shape),
} as const;

/** JSON Schema (draft 2020-12) of an experiment, as published in `pipelines/experiments/experiment.schema.json`. */
export function experimentJsonSchema(): Record<string, unknown> {
  return { title: "srppo experiment", ...z.toJSONSchema(experimentSchema, { io: "input" }) };
}
