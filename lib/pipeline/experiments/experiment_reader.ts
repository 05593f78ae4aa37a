/**
 * Reads an experiment file and reports all of its problems at once, each as `file:line:column`.
 * @module
 */
import { checkRegular } from "@/lib/data/files/whole_file.ts";
import { MAX_YAML_BYTES } from "@/lib/pipeline/engine/yaml_limits.ts";
import { basename, extname } from "node:path";
import { reasonOf } from "@/lib/data/files/file_errors.ts";
import {
  parsePlacedYaml,
  placedError,
  type PlacedProblem,
  type YamlPath,
  zodProblems,
} from "@/lib/pipeline/engine/placed_yaml.ts";
import { parseSettings } from "@/lib/pipeline/engine/settings.ts";
import { suggestion } from "@/lib/pipeline/engine/suggest.ts";
import { ManifestError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { type Experiment, EXPERIMENT_KEYS, experimentSchema } from "./experiment.ts";

/** An experiment with the places of its entries. */
export interface ExperimentSource {
  /** as given */
  readonly file: string;
  /** the file's name without its ending */
  readonly name: string;
  readonly experiment: Experiment;
  /** `file:line:column` of the entry at `at`, or of the nearest one around it */
  readonly place: (at: YamlPath) => string;
}

/** Returns one error for all `problems` of an experiment, in the order of the file. */
export function experimentError(
  { file, place }: Pick<ExperimentSource, "file" | "place">,
  problems: readonly PlacedProblem[],
): ManifestError {
  return placedError("experiment", file, problems, place);
}

/**
 * Parses and checks `text`, the content of `file`.
 * @throws {ManifestError} with every problem of syntax, keys, types, settings and names within the file
 */
export function parseExperiment(text: string, file: string): ExperimentSource {
  const { value, place } = parsePlacedYaml(text, file, "experiment");
  const parsed = experimentSchema.safeParse(value);
  const problems = parsed.success ? innerProblems(parsed.data) : zodProblems(parsed, [], knownKeys);
  if (problems.length > 0 || !parsed.success) throw experimentError({ file, place }, problems);
  return { file, name: basename(file, extname(file)), experiment: parsed.data, place };
}

/** Reads and checks the experiment `file`. `shown` is its name in messages. */
export async function readExperiment(file: string, shown = file): Promise<ExperimentSource> {
  let text: string;
  try {
    checkRegular(file, MAX_YAML_BYTES);
    text = await Deno.readTextFile(file);
  } catch (error) {
    throw new ManifestError(`Cannot read experiment ${shown}: ${reasonOf(error)}`);
  }
  return parseExperiment(text, shown);
}

function knownKeys(path: YamlPath): readonly string[] {
  const [first] = path;
  return first === "arms" || first === "prepare" || first === "grid"
    ? EXPERIMENT_KEYS[first]
    : EXPERIMENT_KEYS.top;
}

/** Returns every part of an experiment that may have `set` and `inputs`, with its place. */
function changesOf(experiment: Experiment): readonly {
  readonly at: YamlPath;
  readonly set: readonly string[];
  readonly inputs: Readonly<Record<string, string>>;
}[] {
  const { prepare, grid, arms, set, inputs } = experiment;
  return [
    { at: [], set, inputs },
    ...Object.entries(prepare).map(([name, entry]) => ({ at: ["prepare", name], ...entry })),
    ...Object.entries(grid).flatMap(([axis, points]) =>
      points.map((point, k) => ({ at: ["grid", axis, k], ...point }))
    ),
    ...Object.entries(arms).map(([name, arm]) => ({ at: ["arms", name], ...arm })),
  ];
}

function innerProblems(experiment: Experiment): PlacedProblem[] {
  const problems: PlacedProblem[] = [];
  const { arms, prepare } = experiment;
  for (const { at, set, inputs } of changesOf(experiment)) {
    set.forEach((text, k) => {
      try {
        parseSettings([text]);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        problems.push({
          at: [...at, "set", k],
          message: `a setting must be STAGE.PARAM=VALUE, got ${JSON.stringify(text)}`,
        });
      }
    });
    for (const [name, path] of Object.entries(inputs)) {
      const message = preparedProblem(path, at[0] === "prepare" ? {} : prepare);
      if (message !== undefined) problems.push({ at: [...at, "inputs", name], message });
    }
  }
  for (const [name, arm] of Object.entries(arms)) {
    if (arm.manifest !== undefined || experiment.manifest !== undefined) continue;
    problems.push({
      at: ["arms", name],
      message: `arm "${name}" requires a manifest, its own or the experiment's`,
    });
  }
  for (const control of controlsOf(experiment)) {
    if (Object.hasOwn(arms, control)) continue;
    problems.push({
      at: ["control"],
      message: `unknown arm "${control}"${suggestion(control, Object.keys(arms))}`,
    });
  }
  return problems;
}

function preparedProblem(path: string, prepare: Experiment["prepare"]): string | undefined {
  const reference = preparedReference(path);
  if (reference === undefined || Object.hasOwn(prepare, reference.run)) return undefined;
  return `unknown prepared run "${reference.run}"${suggestion(reference.run, Object.keys(prepare))}`;
}

/**
 * Returns `source` with these arms only; other controls are removed.
 * @throws {UsageError} listing unknown arms
 */
export function withArms(source: ExperimentSource, names: readonly string[]): ExperimentSource {
  const { experiment } = source;
  const known = Object.keys(experiment.arms);
  const odd = names.filter((name) => !known.includes(name));
  if (odd.length > 0) {
    const list = odd.map((name) => `unknown arm "${name}"${suggestion(name, known)}`).join("; ");
    throw new UsageError(`Invalid value for --arms (${source.file}): ${list}`);
  }
  const { control: _, ...rest } = experiment;
  const controls = controlsOf(experiment).filter((name) => names.includes(name));
  const arms = Object.fromEntries(
    known.filter((name) => names.includes(name)).map((n) => [n, experiment.arms[n]!]),
  );
  return {
    ...source,
    experiment: { ...rest, arms, ...(controls.length === 0 ? {} : { control: controls }) },
  };
}

/** Returns the arms that others are compared with. */
export function controlsOf({ control }: Pick<Experiment, "control">): readonly string[] {
  return control === undefined ? [] : typeof control === "string" ? [control] : control;
}

/** Returns `prepare.NAME.OUTPUT` in its parts; undefined for a path. */
export function preparedReference(
  path: string,
): { readonly run: string; readonly output: string } | undefined {
  const match = /^prepare\.([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)$/.exec(path);
  return match ? { run: match[1]!, output: match[2]! } : undefined;
}
