/** The flags of `deno task experiment`, read once by the launcher and once by the command. @module */
import { join, resolve } from "node:path";
import { parseArgs } from "@std/cli/parse-args";
import { parseSettings } from "@/lib/pipeline/settings.ts";
import { suggestion } from "@/lib/pipeline/suggest.ts";
import { UsageError } from "@/lib/tensor/errors.ts";

/** What `--help` prints. */
export const EXPERIMENT_HELP = `Runs an experiment: arms by grid by seeds, then tables and a report.

Usage: deno task experiment NAME|FILE [flags]       NAME: a file of pipelines/experiments without its ending

  --seeds N|A,B,…           how many seeds, from 0 on, or which (7, is seed 7 alone); default: the experiment's
  --arms A,B,…              only these arms; default: all
  --jobs N                  runs at a time, each a process with its share of the threads; default 1
  --threads N               of all runs together; default: all cores
  --out DIR                 where runs, tables and report go; default runs/experiments/<name>
  --store DIR               where results are kept for reuse, a part for each seed; default <out>/store
  --set STAGE.PARAM=VALUE   replaces a parameter in every manifest that has the stage; may be given several times
  --hub-cache DIR           where downloaded models are kept; default ~/.cache/srppo/hub
  --dry-run                 prints what would run, and runs nothing
  --json                    events as JSON lines on standard output
  --verbose                 stack traces with errors

Ctrl-C finishes the steps in hand and keeps them (exit 75): the same command goes on from there. Twice ends at once.
A run that fails does not keep the others from running; the exit code is that of the first that failed.
Exit codes: 0 done, 64 wrong call, experiment or manifest, 65 bad data, 69 something needed is missing, 70 internal, 75 try
again.
`;

/** Flags, checked. Paths are absolute. */
export interface ExperimentFlags {
  readonly help: boolean;
  readonly file: string;
  /** the file as messages name it */
  readonly shown: string;
  readonly seeds?: number | readonly number[];
  readonly arms?: readonly string[];
  readonly jobs: number;
  readonly threads: number;
  readonly outDir: string;
  readonly storeDir: string;
  readonly set: readonly string[];
  readonly hubCache?: string;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
  /** set by the launcher: end when standard input does */
  readonly launched: boolean;
}

const BOOLEANS = ["help", "dry-run", "json", "verbose", "launched"];
const STRINGS = ["seeds", "arms", "jobs", "threads", "out", "store", "hub-cache"];

/**
 * Reads `args`.
 * @param places where relative paths start (`workingDirectory`) and where the project lies (`root`)
 * @throws {UsageError} listing everything that is wrong
 */
export function readExperimentFlags(
  args: readonly string[],
  places: { readonly workingDirectory: string; readonly root: string },
): ExperimentFlags {
  const problems: string[] = [];
  const flags = parseArgs([...args], {
    boolean: BOOLEANS,
    string: [...STRINGS, "set", "_"],
    collect: ["set"],
    alias: { h: "help" },
    unknown: (_, key) => {
      if (key === undefined) return true;
      problems.push(
        `there is no flag --${key}${suggestion(key, [...BOOLEANS.slice(0, -1), ...STRINGS, "set"])}`,
      );
      return false;
    },
  });
  const words = flags._.map(String);
  if (words.length !== 1 && !flags.help) {
    problems.push(
      `one experiment must be given: ${words.length === 0 ? "there is none" : `it is ${words.join(", ")}`}`,
    );
  }
  const whole = (name: string, least: number): number | undefined => {
    const text = flags[name] as string | undefined;
    if (text === undefined) return undefined;
    const value = wholeNumber(text, least);
    if (value === undefined) problems.push(`--${name} must be a whole number from ${least}: it is "${text}"`);
    return value;
  };
  const [jobs, threads] = [whole("jobs", 1), whole("threads", 1)];
  const seeds = flags.seeds === undefined ? undefined : readSeeds(flags.seeds as string);
  if (flags.seeds !== undefined && seeds === undefined) {
    problems.push(
      `--seeds must be how many, from 1, or which, such as 0,3,4, each once: it is "${flags
        .seeds as string}"`,
    );
  }
  if (problems.length > 0) {
    throw new UsageError(
      `Cannot run an experiment as its flags must be right (see --help): ${problems.join("; ")}`,
    );
  }
  const at = (path: string) => resolve(places.workingDirectory, path);
  const word = words[0] ?? "";
  const isName = /^[\w-]+$/.test(word);
  const shown = isName ? `pipelines/experiments/${word}.yaml` : word;
  const name = /([^/\\]*?)(\.\w+)?$/.exec(shown)![1]!;
  const outDir = at(flags.out === undefined ? join("runs", "experiments", name) : flags.out as string);
  parseSettings(flags.set as string[]);
  return {
    help: flags.help as boolean,
    file: isName ? join(places.root, shown) : at(word),
    shown,
    ...(seeds === undefined ? {} : { seeds }),
    ...(flags.arms === undefined ? {} : { arms: (flags.arms as string).split(",") }),
    jobs: jobs ?? 1,
    threads: threads ?? navigator.hardwareConcurrency,
    outDir,
    storeDir: flags.store === undefined ? join(outDir, "store") : at(flags.store as string),
    set: flags.set as string[],
    ...(flags["hub-cache"] === undefined ? {} : { hubCache: at(flags["hub-cache"] as string) }),
    dryRun: flags["dry-run"] as boolean,
    json: flags.json as boolean,
    verbose: flags.verbose as boolean,
    launched: flags.launched as boolean,
  };
}

function wholeNumber(text: string, least: number): number | undefined {
  const value = Number(text);
  return text.trim() !== "" && Number.isSafeInteger(value) && value >= least ? value : undefined;
}

/** `8` is how many, `0,3,4` is which, and so is `7,`. */
function readSeeds(text: string): number | readonly number[] | undefined {
  if (!text.includes(",")) return wholeNumber(text, 1);
  const parts = text.replace(/,$/, "").split(",").map((part) => wholeNumber(part, 0));
  const list = parts.filter((seed) => seed !== undefined);
  return list.length === parts.length && new Set(list).size === list.length ? list : undefined;
}
