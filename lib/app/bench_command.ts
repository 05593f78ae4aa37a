/**
 * `deno task bench`: how fast this machine trains, generates and iterates, each held against what it could do at best.
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { join } from "node:path";
import { EXIT, UsageError } from "@/lib/tensor/errors.ts";
import { type CaseSpec, type Kind, KINDS } from "./bench/bench_case.ts";
import { benchLoad, LOAD_SHAPES } from "./bench/load_case.ts";
import { type ProfileLine, renderProfile } from "./bench/profile.ts";
import { type BenchRecord, tableHead, tableLine } from "./bench/record.ts";
import { runCase } from "./bench/run_case.ts";
import { benchTokenize, MILLION_ROWS } from "./bench/tokenize_case.ts";
import { SHAPE_NAMES, type ShapeName, SHAPES } from "./bench/shapes.ts";
import { runCommand } from "./command.ts";
import { spellBytes } from "./machine.ts";
import { projectRoot } from "./project_root.ts";
import { permissionFlags } from "./relaunch.ts";

const HELP = `deno task bench [train|generate|iteration]… [--shape ${
  SHAPE_NAMES.join("|")
}] [--batch B] [--seq T]
                [--threads N] [--steps N] [--json] [--profile]

Measures one case per kind on random weights of a shape, each in a process of its own; without a kind, all three.

  train      one step: forward, backward, clipping, AdamW; B rows of T tokens, all supervised
  generate   one decode step: T new tokens after a prompt of one, B side by side, sampled at temperature 1
  iteration  one PPO iteration on files: rollout, score, ppo-update; B rollouts of T tokens, a quarter of them prompt,
             4 epochs, one minibatch, a separate critic, reward = one member and the base

  --shape    default 3m
  --batch    default: the shape's own (train), 1 (generate), 64 (iteration)
  --seq      default: the shape's own (train), 64 (generate), 128 (iteration)
  --threads  default: all cores
  --steps    repetitions (generate: of all T tokens); default: as many as a few seconds hold
  --json     one JSON object per case
  --profile  adds the operators and shapes that took most of the time; profiling costs time itself

deno task bench load [--json] measures how a checkpoint loads: 135 M and 494 M random weights in bfloat16, seconds and
memory. It writes and removes 1.3 GB below runs/ and takes 3 GB of memory.

deno task bench tokenize [--json] measures the stage tokenize on about a million tokens, five times.

The ceilings are measured in turn with the case: GFLOP/s of a matrix product of 2048³, and the milliseconds in which
all matrices of a shape multiply one vector. Ratios: gflops of the product's; time of the vector of a decode step's.
`;

/** The command line, checked. */
export interface BenchFlags {
  readonly cases: readonly CaseSpec[];
  readonly json: boolean;
  readonly profile: boolean;
}

const DEFAULTS: Readonly<Record<Kind, (shape: ShapeName) => { batch: number; length: number }>> = {
  train: (shape) => SHAPES[shape],
  generate: () => ({ batch: 1, length: 64 }),
  iteration: () => ({ batch: 64, length: 128 }),
};

/**
 * Reads the command line.
 * @param cores threads where none are asked for
 * @returns undefined if help is asked for
 * @throws {UsageError} listing everything that is wrong
 */
export function readBenchFlags(args: readonly string[], cores: number): BenchFlags | undefined {
  const problems: string[] = [];
  const flags = parseArgs(args, {
    boolean: ["json", "profile", "help"],
    string: ["shape", "batch", "seq", "threads", "steps"],
    unknown: (arg, key) => key === undefined || (problems.push(`there is no flag ${arg}`), false),
  });
  if (flags.help) return undefined;
  const kinds = flags._.map(String), shape = flags.shape ?? "3m";
  const isKind = (kind: string): kind is Kind => KINDS.some((known) => known === kind);
  const isShape = (name: string): name is ShapeName => SHAPE_NAMES.some((known) => known === name);
  for (const kind of kinds) {
    if (!isKind(kind)) problems.push(`"${kind}" is none of ${KINDS.join(", ")}`);
  }
  if (!isShape(shape)) problems.push(`--shape "${shape}" is none of ${SHAPE_NAMES.join(", ")}`);
  const count = (name: "batch" | "seq" | "threads" | "steps", least: number) => {
    const text = flags[name];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() !== "" && Number.isSafeInteger(value) && value >= least) return value;
    problems.push(`--${name} "${text}" is no whole number of at least ${least}`);
  };
  const batch = count("batch", 1), length = count("seq", 2);
  const threads = count("threads", 1) ?? cores, steps = count("steps", 1);
  if (problems.length > 0 || !isShape(shape)) {
    throw new UsageError(
      `Cannot measure as flags and kinds must be known: ${problems.join("; ")}; see --help`,
    );
  }
  const cases = (kinds.length > 0 ? kinds.filter(isKind) : KINDS).map((kind): CaseSpec => {
    const defaults = DEFAULTS[kind](shape);
    return { kind, shape, batch: batch ?? defaults.batch, length: length ?? defaults.length, steps, threads };
  });
  return { cases, json: flags.json, profile: flags.profile };
}

/** A record, and the profile where one was asked for: what `--json` prints. */
type Found = BenchRecord & { readonly profile?: readonly ProfileLine[] };

/** Measures a case in this process. */
async function measure(spec: CaseSpec, profile: boolean): Promise<Found> {
  const parent = join(projectRoot, "runs");
  Deno.mkdirSync(parent, { recursive: true });
  const directory = Deno.makeTempDirSync({ dir: parent, prefix: "bench-" });
  try {
    const found = await runCase(spec, { directory, profile });
    return found.profile ? { ...found.record, profile: found.profile } : found.record;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/**
 * Measures a case in a process of its own: memory and threads are then the case's alone.
 * @returns the exit code where the process failed; it has said why
 */
async function measureApart(spec: CaseSpec, profile: boolean): Promise<Found | number> {
  const permissions = permissionFlags({
    read: [projectRoot],
    write: [join(projectRoot, "runs")],
    run: ["cat"],
    ffi: true,
  });
  const { shape, batch, length: seq, threads, steps } = spec;
  const numbers = { shape, batch, seq, threads, ...(steps === undefined ? {} : { steps }) };
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--cached-only", ...permissions, import.meta.filename!, spec.kind, "--json"],
      ...Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]),
      ...(profile ? ["--profile"] : []),
    ],
    stdin: "null",
    stderr: "inherit",
  });
  const { code, stdout } = await child.output();
  return code === EXIT.ok ? JSON.parse(new TextDecoder().decode(stdout)) as Found : code;
}

/** Measures how checkpoints load and prints a line each. */
async function measureLoading(json: boolean): Promise<number> {
  for (const [name, shape] of Object.entries(LOAD_SHAPES)) {
    const found = await benchLoad(name, shape);
    const { seconds, peak_bytes: peak, start_bytes: start, weight_bytes: weights } = found;
    const line = `load ${name.padEnd(6)} ${seconds.toFixed(2)} s, peak ${spellBytes(peak)} of which ` +
      `${spellBytes(weights)} weights and ${spellBytes(start)} before it began`;
    console.log(json ? JSON.stringify(found) : line);
  }
  return EXIT.ok;
}

/** Measures the stage tokenize and prints a line. */
async function measureTokenizing(json: boolean): Promise<number> {
  const found = await benchTokenize(MILLION_ROWS, 5);
  const { rows, tokens, seconds, tokens_per_second: speed } = found;
  const line =
    `tokenize ${tokens.toLocaleString("en")} tokens of ${rows.toLocaleString("en")} demonstrations: ` +
    `${seconds.median.toFixed(2)} s (${seconds.min.toFixed(2)} to ${seconds.max.toFixed(2)}), ` +
    `${speed.toLocaleString("en")} tokens/s`;
  console.log(json ? JSON.stringify(found) : line);
  return EXIT.ok;
}

/** What is measured by itself, without a shape. */
const APART: Readonly<Record<string, (json: boolean) => Promise<number>>> = {
  load: measureLoading,
  tokenize: measureTokenizing,
};

async function main(): Promise<number> {
  const [first = "", ...rest] = Deno.args;
  const apart = Object.hasOwn(APART, first) ? APART[first] : undefined;
  if (apart && rest.every((arg) => arg === "--json")) return await apart(rest.length > 0);
  const flags = readBenchFlags(Deno.args, navigator.hardwareConcurrency);
  if (!flags) {
    console.log(HELP.trimEnd());
    return EXIT.ok;
  }
  const { cases, json, profile } = flags;
  if (!json) console.log(tableHead());
  for (const spec of cases) {
    const found = cases.length === 1 ? await measure(spec, profile) : await measureApart(spec, profile);
    if (typeof found === "number") return found;
    console.log(json ? JSON.stringify(found) : tableLine(found));
    if (!json && found.profile) console.log(renderProfile(found.profile));
  }
  return EXIT.ok;
}

if (import.meta.main) await runCommand(main);
