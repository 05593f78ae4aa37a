/**
 * The site file: where stages run on the machines that a user has. Manifests do not change, and neither do keys: where a
 * stage runs is like the number of threads.
 * @module
 */
import { z } from "zod";
import { ManifestError } from "@/lib/compute/tensor/errors.ts";
import { reasonOf } from "@/lib/data/files/file_errors.ts";
import { checkRegular } from "@/lib/data/files/whole_file.ts";
import { allStages, type Blueprint } from "@/lib/pipeline/engine/blueprint.ts";
import {
  parsePlacedYaml,
  placedError,
  type YamlPath,
  zodProblems,
} from "@/lib/pipeline/engine/placed_yaml.ts";
import { suggestion } from "@/lib/pipeline/engine/suggest.ts";
import { MAX_YAML_BYTES } from "@/lib/pipeline/engine/yaml_limits.ts";

/** Where a stage can run. */
export const EXECUTORS = ["inline", "process", "container", "ssh", "slurm"] as const;

/** One of {@linkcode EXECUTORS}. */
export type ExecutorName = typeof EXECUTORS[number];

const word = z.string().regex(/^[\w@%+=:,./-]+$/, "must be one word of letters, digits and @%+=:,./-_");

const placementSchema = z.strictObject({
  executor: z.enum(EXECUTORS).exactOptional(),
  /** threads of the stage */
  cpus: z.int().min(1).max(4096).exactOptional(),
  memory: z.string().regex(/^\d+[KMGT]$/, 'must be a number with K, M, G or T, such as "16G"')
    .exactOptional(),
  gpus: z.int().min(0).max(64).exactOptional(),
  /** limit of the time of one attempt */
  time: z.string().regex(
    /^(\d+-)?\d+(:\d\d){0,2}$/,
    'must be minutes or [DAYS-]HOURS:MM:SS, such as "2:00:00"',
  ).exactOptional(),
  partition: word.exactOptional(),
  image: word.exactOptional(),
  host: word.exactOptional(),
  /** attempts after one that was interrupted, lost or out of memory */
  retries: z.int().min(0).max(100).exactOptional(),
  /** further arguments of sbatch, ssh, or `podman run` */
  options: z.array(word).exactOptional(),
});

const siteSchema = z.strictObject({
  ...placementSchema.shape,
  /** path of Deno, and of this project, on the machines of ssh and slurm; default: as here */
  deno: word.exactOptional(),
  project: word.exactOptional(),
  /** program that starts containers */
  engine: z.enum(["podman", "docker"]).exactOptional(),
  /** jobs that are submitted at the same time */
  jobs: z.int().min(1).max(100_000).exactOptional(),
  /** by stage (`ppo.update`), or a pattern in which * stands for any characters */
  stages: z.record(z.string(), placementSchema).exactOptional(),
});

/** Where one stage runs, and what it gets there. */
export type Placement = z.output<typeof placementSchema> & { readonly executor: ExecutorName };

/** A site file, checked. */
export type Site = Readonly<z.output<typeof siteSchema>>;

/**
 * Reads the site file at `path`. @param shown its name in messages
 * @throws {ManifestError} with every problem, each as `file:line:column`
 */
export async function readSite(path: string, shown: string): Promise<Site> {
  let text: string;
  try {
    checkRegular(path, MAX_YAML_BYTES);
    text = await Deno.readTextFile(path);
  } catch (error) {
    throw new ManifestError(`Cannot read site file ${shown}: ${reasonOf(error)}`);
  }
  return parseSite(text, shown);
}

/** Checks `text`, the content of the site file `shown`. @throws {ManifestError} with every problem */
export function parseSite(text: string, shown: string): Site {
  const { value, place } = parsePlacedYaml(text, shown, "site file");
  const parsed = siteSchema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const keys = (at: YamlPath) => Object.keys(at[0] === "stages" ? placementSchema.shape : siteSchema.shape);
  throw placedError("site file", shown, zodProblems(parsed, [], keys), place);
}

/**
 * Returns where the stage with this path runs: the site's own values, replaced by those of every entry that matches, in the
 * order of the file.
 * @param flag of the command line; it replaces the site's executor, not those of entries
 */
export function placementOf(site: Site, path: string, flag: ExecutorName | undefined): Placement {
  const { deno: _deno, project: _project, engine: _engine, jobs: _jobs, stages = {}, ...common } = site;
  const own = Object.entries(stages).filter(([pattern]) => matches(pattern, path)).map(([, entry]) => entry);
  return Object.assign({ executor: "inline" }, common, flag && { executor: flag }, ...own);
}

/** @throws {ManifestError} listing entries of the site file that match no stage of the plan, and placements that lack a value */
export function checkSite(
  site: Site,
  blueprint: Blueprint,
  shown: string,
  flag: ExecutorName | undefined,
): void {
  const paths = allStages(blueprint).map(({ path }) => path);
  const unmatched = Object.keys(site.stages ?? {}).filter((pattern) =>
    !paths.some((path) => matches(pattern, path))
  )
    .map((pattern) =>
      `stages: "${pattern}" matches no stage of ${blueprint.manifest}${suggestion(pattern, paths)}`
    );
  const lacking = paths.flatMap((path) => {
    const { executor, image, host } = placementOf(site, path, flag);
    if (executor === "container" && image === undefined) {
      return [`${path} runs in a container: image is missing`];
    }
    return executor === "ssh" && host === undefined ? [`${path} runs over SSH: host is missing`] : [];
  });
  const problems = [...unmatched, ...lacking];
  if (problems.length > 0) throw new ManifestError(`Invalid site file ${shown}:\n${problems.join("\n")}`);
}

function matches(pattern: string, path: string): boolean {
  const source = pattern.split("*").map((part) => RegExp.escape(part)).join(".*");
  return new RegExp(`^${source}$`).test(path);
}
