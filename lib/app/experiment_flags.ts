/** The flags of `deno task experiment`, read once by the launcher and once by the command. @module */
import { append } from "@/lib/compute/tensor/large_lists.ts";
import { join, resolve } from "node:path";
import { parseArgs } from "@std/cli/parse-args";
import { parseSettings } from "@/lib/pipeline/engine/settings.ts";
import { suggestion } from "@/lib/pipeline/engine/suggest.ts";
import { type ChildFlags, keepEnvProblems } from "./child_flags.ts";
import { DEFAULT_GRACE, LONGEST_GRACE } from "./stopping.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** The text of `--help`. */
export const EXPERIMENT_HELP =
  `Runs the arms (variants of a pipeline) of an experiment with several seeds, then writes tables and a report.

Usage: deno task experiment NAME|FILE [flags]

  NAME|FILE                name of a file in pipelines/experiments without .yaml, or a path
  --seeds N                number of seeds (0 to N − 1), at most 100; default the experiment's
  --seeds A,B,…            list of seeds; a single seed needs a comma: --seeds 7,
  --arms A,B,…             arms to run; default all
  --jobs N                 runs in parallel, each in its own process; default 1
  --threads N              CPU threads, divided among the parallel runs; default all cores
  --out DIR                directory of runs, tables and report; default runs/experiments/<name>
  --store DIR              cache of stage outputs, one subdirectory per seed; default <out>/store
  --set STAGE.PARAM=VALUE  replace a parameter in every manifest with that stage; repeatable
  --hub-cache DIR          cache of models from the Hugging Face Hub; default ~/.cache/srppo/hub
  --allow-host HOST:PORT   address in files that stages may connect to; repeatable
  --follow-links           follow links in input directories that lead outside of them
  --dry-run                print how many stages of each run would run, then exit
  --grace SECONDS          time from SIGTERM until running processes are killed; default 25
  --keep-env NAME          additional environment variable for the stages; repeatable
  --json                   print events as JSON Lines
  --verbose                print stack traces of errors
  --help                   print this text

Examples:
  deno task experiment quickstart --seeds 8
  deno task experiment quickstart --seeds 0,3,4 --jobs 2 --dry-run

Ctrl-C saves after the current steps and exits with 75; run the same command to resume. Press twice to quit immediately.
If a run fails, the others still run; the exit code is that of the first failure.
Exit codes: 0 done, 64 invalid flags, experiment or manifest, 65 invalid data, 69 software, download or endpoint
unavailable, 70 internal error, 75 interrupted or not enough disk space (run the same command again).
`;

/** Most seeds that a count may mean: a greater number is more likely meant as a seed. */
const MOST_SEEDS = 100;

/** Flags, checked. Paths are absolute. */
export interface ExperimentFlags extends ChildFlags {
  readonly help: boolean;
  readonly file: string;
  /** the file's name in messages */
  readonly shown: string;
  readonly seeds?: number | readonly number[];
  readonly arms?: readonly string[];
  readonly jobs: number;
  readonly threads: number;
  readonly outDir: string;
  readonly storeDir: string;
  readonly set: readonly string[];
  readonly hubCache?: string;
  /** addresses of the experiment and its manifests that stages may connect to, as `host:port` */
  readonly allowHosts: readonly string[];
  readonly followLinks: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
  /** set by the launcher: end when standard input does */
  readonly launched: boolean;
}

const BOOLEANS = ["help", "dry-run", "follow-links", "json", "verbose", "launched"];
const STRINGS = ["seeds", "arms", "jobs", "threads", "out", "store", "hub-cache", "grace"];
const LISTS = ["set", "allow-host", "keep-env"];

/**
 * Reads `args`.
 * @param places where relative paths start (`workingDirectory`), and the project's directory (`root`)
 * @throws {UsageError} listing every problem
 */
export function readExperimentFlags(
  args: readonly string[],
  places: { readonly workingDirectory: string; readonly root: string },
): ExperimentFlags {
  const problems: string[] = [];
  const flags = parseArgs([...args], {
    boolean: BOOLEANS,
    string: [...STRINGS, ...LISTS, "_"],
    collect: LISTS,
    alias: { h: "help" },
    unknown: (_, key) => {
      if (key === undefined) return true;
      problems.push(
        `unknown flag --${key}${suggestion(key, [...BOOLEANS.slice(0, -1), ...STRINGS, ...LISTS])}`,
      );
      return false;
    },
  });
  const text = (name: string) => flags[name] as string | undefined;
  const words = flags._.map(String);
  if (words.length !== 1 && !flags.help) {
    problems.push(`expected one experiment, got ${words.length === 0 ? "none" : words.join(", ")}`);
  }
  const count = (name: string, most = Infinity): number | undefined => {
    const value = wholeNumber(text(name) ?? "1", 1);
    if (value === undefined || value > most) {
      problems.push(`--${name} must be a whole number from 1, got "${text(name)}"`);
    }
    return text(name) === undefined ? undefined : value;
  };
  const [jobs, threads, grace] = [count("jobs"), count("threads"), count("grace", LONGEST_GRACE)];
  const keepEnv = flags["keep-env"] as string[];
  append(problems, keepEnvProblems(keepEnv));
  const seeds = readSeeds(text("seeds"), problems);
  if (problems.length > 0) throw new UsageError(`Invalid flags (see --help): ${problems.join("; ")}`);
  const at = (path: string) => resolve(places.workingDirectory, path);
  const word = words[0] ?? "";
  const isName = /^[\w-]+$/.test(word);
  const shown = isName ? `pipelines/experiments/${word}.yaml` : word;
  const name = /([^/\\]*?)(\.\w+)?$/.exec(shown)![1]!;
  const outDir = at(text("out") ?? join("runs", "experiments", name));
  const [store, arms, hubCache] = [text("store"), text("arms"), text("hub-cache")];
  parseSettings(flags.set as string[]);
  return {
    help: flags.help as boolean,
    file: isName ? join(places.root, shown) : at(word),
    shown,
    ...(seeds === undefined ? {} : { seeds }),
    ...(arms === undefined ? {} : { arms: arms.split(",") }),
    jobs: jobs ?? 1,
    threads: threads ?? navigator.hardwareConcurrency,
    outDir,
    storeDir: store === undefined ? join(outDir, "store") : at(store),
    set: flags.set as string[],
    ...(hubCache === undefined ? {} : { hubCache: at(hubCache) }),
    allowHosts: flags["allow-host"] as string[],
    followLinks: flags["follow-links"] as boolean,
    dryRun: flags["dry-run"] as boolean,
    json: flags.json as boolean,
    verbose: flags.verbose as boolean,
    launched: flags.launched as boolean,
    grace: grace ?? DEFAULT_GRACE,
    keepEnv,
  };
}

function wholeNumber(text: string, least: number): number | undefined {
  const value = Number(text);
  return text.trim() !== "" && Number.isSafeInteger(value) && value >= least ? value : undefined;
}

/** Reads `8` as a number of seeds, `0,3,4` as a list of them, and `7,` as a list of one. */
function readSeeds(text: string | undefined, problems: string[]): number | readonly number[] | undefined {
  if (text === undefined) return undefined;
  if (text.includes(",")) {
    const parts = text.replace(/,$/, "").split(",").map((part) => wholeNumber(part, 0));
    const list = parts.filter((seed) => seed !== undefined);
    if (list.length === parts.length && new Set(list).size === list.length) return list;
  } else {
    const count = wholeNumber(text, 1);
    if (count !== undefined && count > MOST_SEEDS) {
      problems.push(
        `--seeds ${count} means ${count} seeds, at most ${MOST_SEEDS} are allowed; ` +
          `for the one seed ${count} write --seeds ${count},`,
      );
    }
    if (count !== undefined) return count;
  }
  problems.push(
    `--seeds must be a number of seeds from 1 (--seeds 5) or a list without repeats (--seeds 0,3,4), got "${text}"`,
  );
  return undefined;
}
