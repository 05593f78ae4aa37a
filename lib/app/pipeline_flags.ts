/** The flags of `deno task pipeline`, read once by the launcher and once by the command. @module */
import { basename, extname, join, resolve } from "node:path";
import { parseInputs, parseSettings, type Setting } from "@/lib/pipeline/engine/settings.ts";
import type { PartFlags } from "@/lib/pipeline/engine/selection.ts";
import { type ExecutorName, EXECUTORS } from "@/lib/pipeline/executors/site.ts";
import { CHILD_FLAGS, type ChildFlags, readChildFlags } from "./child_flags.ts";
import { readFlags } from "./flags.ts";

/** What `--help` prints. */
export const PIPELINE_HELP =
  `Runs a pipeline of stages from a manifest, such as SFT, reward, PPO and evaluation.

Usage: deno task pipeline [MANIFEST] [flags]

  MANIFEST                   YAML file that lists the stages; default pipelines/quickstart.yaml
  --run-dir DIR              directory of outputs, log and report; default runs/<manifest name>
  --store DIR                cache of stage outputs, may be shared; default <run dir>/store
  --input NAME=PATH          replace an input of the manifest; repeatable
                             PATH may be hf:ORG/NAME[@REVISION], or a quoted pattern: 'data/**/*.jsonl'
  --hub-cache DIR            cache of models from the Hugging Face Hub; default ~/.cache/srppo/hub
  --set STAGE.PARAM=VALUE    replace a parameter; repeatable
                             in a block (a loop or copies of stages): BLOCK.STAGE.PARAM, and BLOCK.count
  --to STAGE,…               run only these stages and the stages they depend on; default all
  --from STAGE,…             run only these stages and the stages that depend on them
  --only STAGE,…             run only these stages
  --force STAGE,…            run these stages again, although the cache has their results
  --seed N                   random seed; default the manifest's
  --allow-host HOST:PORT     address in the manifest that stages may connect to; repeatable
  --follow-links             follow links in input directories that lead outside of them
  --threads N                CPU threads; default all cores
  --device NAME              device that computes: cpu, webgpu (experimental) or auto; default cpu
  --executor NAME            where stages run: inline, process, container, ssh or slurm; default inline
  --site FILE                executors and resources of stages by name: docs/executors.md
  --detach                   run in the background; see deno task status, logs and cancel
  --dry-run                  print which stages would run and why, then exit
  --explain                  with --dry-run: all changed parts of the keys, with full digests
  --mermaid                  with --dry-run: print the plan as a Mermaid flowchart
  --fresh                    ignore the cache and run every stage
  --no-estimate              do not estimate how long the run takes
  --verify                   hash the store first; delete damaged files and results made from them
  --grace SECONDS            time from SIGTERM until running processes are killed; default 25
  --keep-env NAME            additional environment variable for the stages; repeatable
  --json                     print events as JSON Lines
  --verbose                  print stack traces of errors
  --help                     print this text

Examples:
  deno task pipeline
  deno task pipeline --set sft.epochs=2 --set ppo.update.beta=0.1 --set ppo.count=20 --dry-run
  deno task pipeline pipelines/align.yaml --input base=hf:ORG/NAME --input 'demonstrations=data/*.jsonl'

Ctrl-C saves after the current step and exits with 75; run the same command to resume. Press twice to quit immediately.
SIGTERM also saves after the current step; processes that still run after --grace are killed.
Environment: HF_TOKEN and HF_ENDPOINT for downloads from the Hugging Face Hub; SRPPO_URL_TOKEN=HOST:PORT=TOKEN, the
bearer token for one host of a parameter ending in _url. Stages get only listed variables: see docs/architecture.md.
Exit codes: 0 done, 64 invalid flags or manifest, 65 invalid data, 69 software, download or endpoint unavailable,
70 internal error, 75 interrupted or not enough disk space (run the same command again).
`;

/** Flags, checked. Paths are absolute. */
export interface PipelineFlags extends ChildFlags, PartFlags {
  readonly manifest: string;
  /** the manifest as messages name it */
  readonly shown: string;
  readonly runDir: string;
  readonly storeDir: string;
  /** where downloaded models are cached; undefined: below the user's cache directory */
  readonly hubCache?: string;
  /** as given */
  readonly inputs: Readonly<Record<string, string>>;
  readonly settings: readonly Setting[];
  /** stages or blocks whose cached results are ignored */
  readonly force: readonly string[];
  readonly seed?: number;
  readonly threads: number;
  /** value of --device */
  readonly device: string;
  /** absent: the site file decides, else inline */
  readonly executor?: ExecutorName;
  /** site file, and its name in messages */
  readonly site?: string;
  readonly shownSite?: string;
  /** addresses of the manifest that stages may connect to, as `host:port` */
  readonly allowHosts: readonly string[];
  readonly followLinks: boolean;
  readonly json: boolean;
  readonly fresh: boolean;
  readonly verify: boolean;
  /** whether the time of the run is estimated */
  readonly estimate: boolean;
  readonly dryRun: boolean;
  readonly detach: boolean;
  /** how a dry run is printed */
  readonly explain: boolean;
  readonly mermaid: boolean;
  /** set by the launcher: end when standard input does */
  readonly launched: boolean;
}

/**
 * Reads `args`.
 * @param places `workingDirectory`, to which relative paths belong, and `root`, the directory of the project
 * @throws {UsageError} listing all invalid flags
 */
export function readPipelineFlags(
  args: readonly string[],
  places: { readonly workingDirectory: string; readonly root: string },
): PipelineFlags {
  const flags = readFlags(args, {
    booleans: [
      "json",
      "fresh",
      "dry-run",
      "detach",
      "explain",
      "mermaid",
      "verify",
      "follow-links",
      "no-estimate",
    ],
    strings: [
      "run-dir",
      "store",
      "hub-cache",
      "to",
      "from",
      "only",
      "force",
      "seed",
      "threads",
      "device",
      "executor",
      "site",
      ...CHILD_FLAGS.strings,
    ],
    lists: ["input", "set", "allow-host", ...CHILD_FLAGS.lists],
    maxWords: 1,
  });
  const seed = flags.integer("seed", { min: 0 }), threads = flags.integer("threads", { min: 1 });
  const executor = flags.oneOf("executor", EXECUTORS);
  const childFlags = readChildFlags(flags);
  for (const name of ["explain", "mermaid"].filter((name) => flags.has(name) && !flags.has("dry-run"))) {
    flags.problems.push(`--${name} requires --dry-run`);
  }
  flags.check();
  const [word] = flags.words, hubCache = flags.text("hub-cache"), site = flags.text("site");
  const names = (flag: string) => flags.text(flag)?.split(",");
  const to = names("to"), from = names("from"), only = names("only");
  const at = (path: string) => resolve(places.workingDirectory, path);
  const manifest = word === undefined ? join(places.root, "pipelines", "quickstart.yaml") : at(word);
  const runDir = at(flags.text("run-dir") ?? join("runs", basename(manifest, extname(manifest))));
  return {
    manifest,
    shown: word ?? "pipelines/quickstart.yaml",
    runDir,
    storeDir: at(flags.text("store") ?? join(runDir, "store")),
    ...(hubCache !== undefined && { hubCache: at(hubCache) }),
    inputs: parseInputs(flags.list("input")),
    settings: parseSettings(flags.list("set")),
    ...(to && { to }),
    ...(from && { from }),
    ...(only && { only }),
    force: names("force") ?? [],
    ...(seed !== undefined && { seed }),
    threads: threads ?? navigator.hardwareConcurrency,
    device: flags.text("device") ?? "cpu",
    ...(executor && { executor }),
    ...(site !== undefined && { site: at(site), shownSite: site }),
    allowHosts: flags.list("allow-host"),
    followLinks: flags.has("follow-links"),
    json: flags.has("json"),
    fresh: flags.has("fresh"),
    verify: flags.has("verify"),
    estimate: !flags.has("no-estimate"),
    dryRun: flags.has("dry-run"),
    detach: flags.has("detach"),
    explain: flags.has("explain"),
    mermaid: flags.has("mermaid"),
    launched: flags.has("launched"),
    ...childFlags,
  };
}
