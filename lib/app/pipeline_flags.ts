/** The flags of `deno task pipeline`, read once by the launcher and once by the command. @module */
import { basename, extname, join, resolve } from "node:path";
import { parseArgs } from "@std/cli/parse-args";
import { parseInputs, parseSettings, type Setting } from "@/lib/pipeline/settings.ts";
import { suggestion } from "@/lib/pipeline/suggest.ts";
import { UsageError } from "@/lib/tensor/errors.ts";

/** What `--help` prints. */
export const PIPELINE_HELP = `Runs a pipeline: demonstrations in, a better model out.

Usage: deno task pipeline [MANIFEST] [flags]        default manifest: pipelines/quickstart.yaml

  --run-dir DIR              where outputs, log and report go; default runs/<manifest's name>
  --store DIR                where results are kept for reuse; default <run dir>/store. Runs may share one
  --input NAME=PATH          replaces an input of the manifest; may be given several times. A model may be
                             hf:ORG/NAME or hf:ORG/NAME@REVISION, downloaded first (HF_TOKEN, HF_ENDPOINT);
                             data may be a pattern in quotes: 'data/**/*.jsonl'
  --hub-cache DIR            where downloaded models are kept; default ~/.cache/srppo/hub
  --set STAGE.PARAM=VALUE    replaces a parameter: sft.epochs=2, ppo.update.beta=1; ppo.count=2 sets a loop's rounds
  --to STAGE,…               runs no more than these stages or blocks and what they read from: --to reward
  --seed N                   seed of the run; default: the manifest's
  --threads N                default: all cores
  --executor inline|process  stages in this process (default) or each in its own
  --dry-run                  prints what would run and why, and runs nothing
  --fresh                    runs everything, whatever the store holds
  --verify                   digests the whole store first and drops what is damaged
  --json                     events as JSON lines on standard output
  --verbose                  stack traces with errors

Ctrl-C finishes the step in hand and keeps it (exit 75): the same command goes on from there. Twice ends at once.
Exit codes: 0 done, 64 wrong call or manifest, 65 bad data, 69 something needed is missing, 70 internal, 75 try again.
`;

/** Flags, checked. Paths are absolute. */
export interface PipelineFlags {
  readonly help: boolean;
  readonly manifest: string;
  /** the manifest as it was named */
  readonly shown: string;
  readonly runDir: string;
  readonly storeDir: string;
  /** where downloaded models are kept; undefined: below the user's cache directory */
  readonly hubCache?: string;
  /** as they were given */
  readonly inputs: Readonly<Record<string, string>>;
  readonly settings: readonly Setting[];
  /** stages or blocks to stop at; undefined: everything runs */
  readonly to?: readonly string[];
  readonly seed?: number;
  readonly threads: number;
  readonly executor: "inline" | "process";
  readonly json: boolean;
  readonly fresh: boolean;
  readonly verify: boolean;
  readonly dryRun: boolean;
  readonly verbose: boolean;
  /** set by the launcher: end when standard input does */
  readonly launched: boolean;
}

const BOOLEANS = ["help", "json", "fresh", "dry-run", "verify", "verbose", "launched"];
const STRINGS = ["run-dir", "store", "hub-cache", "to", "seed", "threads", "executor"];
const LISTS = ["input", "set"];

/**
 * Reads `args`.
 * @param places where relative paths start (`workingDirectory`) and where the project lies (`root`)
 * @throws {UsageError} listing everything that is wrong
 */
export function readPipelineFlags(
  args: readonly string[],
  places: { readonly workingDirectory: string; readonly root: string },
): PipelineFlags {
  const problems: string[] = [];
  const flags = parseArgs([...args], {
    boolean: BOOLEANS,
    string: [...STRINGS, ...LISTS, "_"],
    collect: LISTS,
    alias: { h: "help" },
    unknown: (_, key) => {
      if (key === undefined) return true;
      problems.push(
        `there is no flag --${key}${suggestion(key, [...BOOLEANS.slice(0, -1), ...STRINGS, ...LISTS])}`,
      );
      return false;
    },
  });
  const words = flags._.map(String);
  if (words.length > 1) problems.push(`one manifest must be given: it is ${words.join(", ")}`);
  const whole = (name: string, least: number): number | undefined => {
    const text = flags[name] as string | undefined;
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text !== "" && Number.isSafeInteger(value) && value >= least) return value;
    problems.push(`--${name} must be a whole number from ${least}: it is "${text}"`);
    return undefined;
  };
  const seed = whole("seed", 0);
  const threads = whole("threads", 1);
  const executor = (flags.executor ?? "inline") as string;
  if (executor !== "inline" && executor !== "process") {
    problems.push(
      `--executor must be inline or process: it is "${executor}"${
        suggestion(executor, ["inline", "process"])
      }`,
    );
  }
  if (problems.length > 0) {
    throw new UsageError(
      `Cannot run a pipeline as its flags must be right (see --help): ${problems.join("; ")}`,
    );
  }
  const at = (path: string) => resolve(places.workingDirectory, path);
  const manifest = words[0] === undefined ? join(places.root, "pipelines", "quickstart.yaml") : at(words[0]);
  const runDir = flags["run-dir"] === undefined
    ? at(join("runs", basename(manifest, extname(manifest))))
    : at(flags["run-dir"] as string);
  return {
    help: flags.help as boolean,
    manifest,
    shown: words[0] ?? "pipelines/quickstart.yaml",
    runDir,
    storeDir: flags.store === undefined ? join(runDir, "store") : at(flags.store as string),
    ...(flags["hub-cache"] === undefined ? {} : { hubCache: at(flags["hub-cache"] as string) }),
    inputs: parseInputs(flags.input as string[]),
    settings: parseSettings(flags.set as string[]),
    ...(flags.to === undefined ? {} : { to: (flags.to as string).split(",") }),
    ...(seed === undefined ? {} : { seed }),
    threads: threads ?? navigator.hardwareConcurrency,
    executor: executor as "inline" | "process",
    json: flags.json as boolean,
    fresh: flags.fresh as boolean,
    verify: flags.verify as boolean,
    dryRun: flags["dry-run"] as boolean,
    verbose: flags.verbose as boolean,
    launched: flags.launched as boolean,
  };
}
