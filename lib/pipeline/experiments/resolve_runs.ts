/**
 * Expands an experiment, arms × grid × seeds, to cells of the result and the runs that they need. Cells with equal manifest,
 * settings, inputs and seed share a run, which evaluates several models.
 * In: an experiment and its manifests. Out: cells and runs; nothing is started.
 * @module
 */
import type { Manifest } from "@/lib/pipeline/engine/manifest.ts";
import type { PlacedProblem } from "@/lib/pipeline/engine/placed_yaml.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import type { Experiment } from "./experiment.ts";
import { experimentError, type ExperimentSource } from "./experiment_reader.ts";
import { type ChangeLayer, type Changes, Fitting, layerOf } from "./fitting.ts";

/** A point of the grid: a value on every axis. */
export type GridPoint = Readonly<Record<string, string | number>>;

/** One run of the pipeline. */
export interface RunSpec extends Changes {
  /** path below the experiment's directory of runs: `srppo/demonstrations=64/seed-0` */
  readonly name: string;
  /** relative to the project, as written */
  readonly manifest: string;
  readonly seed: number;
  /** the part of the experiment's store that it uses: runs of one seed share equal stages */
  readonly store: string;
}

/** One model of one run. */
export interface Cell {
  readonly arm: string;
  readonly model: string;
  readonly point: GridPoint;
  readonly run: RunSpec;
}

/** All runs of an experiment. */
export interface ExperimentRuns {
  /** by name; they run before the others */
  readonly prepared: Readonly<Record<string, RunSpec>>;
  /** in the order of arms and grid, seeds innermost */
  readonly runs: readonly RunSpec[];
  readonly cells: readonly Cell[];
}

/** Changes of the command line. */
export interface Overrides {
  readonly seeds?: number | readonly number[];
  /** as for `--set`, for every manifest that has the stage */
  readonly set: readonly string[];
}

/** Returns the seeds of a number or a list of them. */
function seedsOf(seeds: number | readonly number[]): readonly number[] {
  return typeof seeds === "number" ? Array.from({ length: seeds }, (_, seed) => seed) : seeds;
}

/**
 * Returns the runs and cells of `source`.
 * @param root where relative paths start
 * @param read returns a manifest by its path as written
 * @throws {ManifestError} listing the manifests, settings and inputs that do not exist, each with its place
 * @throws {UsageError} for a setting of `overrides` that no manifest has
 */
export async function resolveRuns(
  source: ExperimentSource,
  overrides: Overrides,
  { root, read }: { readonly root: string; readonly read: (path: string) => Promise<Manifest> },
): Promise<ExperimentRuns> {
  const { experiment } = source;
  const problems: PlacedProblem[] = [];
  const manifests = await readAll(experiment, read, problems);
  const fitting = new Fitting(manifests, root, problems);
  const shared = layerOf(experiment, []);
  const calls: ChangeLayer = { set: overrides.set.map((what) => ({ what, at: [] })), inputs: [] };

  const prepared: Record<string, RunSpec> = {};
  for (const [name, entry] of Object.entries(experiment.prepare)) {
    const changes = fitting.apply(entry.manifest, [], [layerOf(entry, ["prepare", name])], calls);
    if (changes === undefined) continue;
    prepared[name] = {
      ...changes,
      name: `prepare/${name}`,
      manifest: entry.manifest,
      seed: entry.seed,
      store: "prepare",
    };
  }

  const cells: (Omit<Cell, "run"> & { run: RunSpec })[] = [];
  for (const [arm, entry] of Object.entries(experiment.arms)) {
    const manifest = entry.manifest ?? experiment.manifest!;
    const model = entry.model ?? comparedModels(manifests.get(manifest)).at(-1) ?? arm;
    for (const { point, layers } of gridOf(experiment)) {
      const own = layerOf(entry, ["arms", arm]);
      const changes = fitting.apply(manifest, [shared, ...layers], [own], calls);
      if (changes === undefined) continue;
      for (const seed of armSeeds(experiment, arm, overrides)) {
        cells.push({
          arm,
          model,
          point,
          run: { ...changes, name: "", manifest, seed, store: `seed-${seed}` },
        });
      }
    }
  }
  fitting.finish();
  if (problems.length > 0) throw experimentError(source, problems);
  for (const equal of Map.groupBy(cells, ({ run }) => JSON.stringify(run)).values()) {
    const models = comparedModels(manifests.get(equal[0]!.run.manifest));
    const run = { ...equal[0]!.run, name: runName(equal, models) };
    for (const cell of equal) cell.run = run;
  }
  return { prepared, runs: [...new Set(cells.map(({ run }) => run))], cells };
}

/** Returns the models that a manifest compares, in its order: the map `models` of a stage outside blocks. */
function comparedModels(manifest: Manifest | undefined): string[] {
  return Object.values(manifest?.stages ?? {}).flatMap((entry) => {
    const models = "in" in entry ? entry.in.models : undefined;
    return typeof models === "object" && models !== null && !Array.isArray(models) ? Object.keys(models) : [];
  });
}

/** Returns the name of a run: that of the arm whose model comes last among the compared `models`. */
function runName(cells: readonly Cell[], models: readonly string[]): string {
  const { arm, point, run } = cells.reduce((best, cell) =>
    models.indexOf(cell.model) > models.indexOf(best.model) ? cell : best
  );
  const place = Object.entries(point).map(([axis, value]) => `${axis}=${value}`.replaceAll(/[^\w.=-]/g, "_"));
  return [arm, ...place, `seed-${run.seed}`].join("/");
}

/** Returns the seeds of an arm; those of the command line only as far as an arm with seeds of its own has them. */
function armSeeds(experiment: Experiment, arm: string, { seeds }: Overrides): readonly number[] {
  const own = experiment.arms[arm]!.seeds;
  if (seeds === undefined) return seedsOf(own ?? experiment.seeds);
  const chosen = seedsOf(seeds);
  if (own === undefined) return chosen;
  const having = new Set(seedsOf(own));
  return chosen.filter((seed) => having.has(seed));
}

/** Returns all combinations of the axes' values, the last axis fastest. */
function gridOf(
  { grid }: Experiment,
): { readonly point: GridPoint; readonly layers: readonly ChangeLayer[] }[] {
  let places: { readonly point: GridPoint; readonly layers: readonly ChangeLayer[] }[] = [{
    point: {},
    layers: [],
  }];
  for (const [axis, values] of Object.entries(grid)) {
    places = places.flatMap(({ point, layers }) =>
      values.map((entry, k) => ({
        point: { ...point, [axis]: entry.value },
        layers: [...layers, layerOf(entry, ["grid", axis, k])],
      }))
    );
  }
  return places;
}

/** Returns manifests by path; one that cannot be read becomes a problem. */
async function readAll(
  experiment: Experiment,
  read: (path: string) => Promise<Manifest>,
  problems: PlacedProblem[],
): Promise<ReadonlyMap<string, Manifest>> {
  const named = [
    { path: experiment.manifest, at: ["manifest"] },
    ...Object.entries(experiment.prepare).map(([name, { manifest: path }]) => ({
      path,
      at: ["prepare", name, "manifest"],
    })),
    ...Object.entries(experiment.arms).map(([name, { manifest: path }]) => ({
      path,
      at: ["arms", name, "manifest"],
    })),
  ];
  const manifests = new Map<string, Manifest>();
  const failed = new Set<string>();
  for (const { path, at } of named) {
    if (path === undefined || manifests.has(path) || failed.has(path)) continue;
    try {
      manifests.set(path, await read(path));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      failed.add(path);
      problems.push({ at, message: error.message });
    }
  }
  return manifests;
}
