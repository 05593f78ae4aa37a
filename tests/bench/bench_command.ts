/**
 * `deno task bench`: measures the speed of training, generation and PPO iterations, compared with the maximum of this
 * machine.
 * @module
 */
import { join } from "node:path";
import { configureRuntime } from "@/lib/compute/ort/runtime.ts";
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { type CaseSpec, type Kind, KINDS } from "./bench_case.ts";
import { benchServe, serveLines } from "./serve_case.ts";
import { benchLoad, LOAD_SHAPES } from "./load_case.ts";
import { type ProfileLine, renderProfile } from "./profile.ts";
import { type BenchRecord, tableHead, tableLine } from "./record.ts";
import { runCase } from "./run_case.ts";
import { benchTokenize, MILLION_ROWS } from "./tokenize_case.ts";
import { SHAPE_NAMES, type ShapeName, SHAPES } from "./shapes.ts";
import { inTemporaryDirectory } from "./temporary_directory.ts";
import { runCommand } from "@/lib/app/command.ts";
import { readFlags } from "@/lib/app/flags.ts";
import { spellBytes } from "@/lib/app/machine.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { runDeno } from "@/lib/app/relaunch.ts";

const HELP = `Measures speed on random weights, compared with the maximum speed of this machine.

Usage: deno task bench [train|generate|iteration]… [flags]     default: all three
       deno task bench load [--json]
       deno task bench tokenize [--json]
       deno task bench serve [--shape S] [--threads N] [--steps N] [--json]

  train        one training step: forward, backward, gradient clipping, AdamW
  generate     one decoding step: a new token for each of B sequences
  iteration    one PPO iteration: rollout, score, ppo-update (4 epochs of one minibatch)
  load         load checkpoints of 135 M and 494 M parameters; needs 3 GB of memory
  tokenize     stage tokenize on a million tokens
  serve        the server's tokens/s with 32 clients, compared with the offline generator; --steps rounds, default 3
  --shape S    model size: ${SHAPE_NAMES.join(", ")}; default 3m
  --batch B    batch size; default set by --shape (train), 1 (generate), 64 (iteration)
  --seq T      sequence length in tokens; default set by --shape (train), 64 (generate), 128 (iteration)
  --threads N  CPU threads; default all cores
  --device D   device that computes: cpu, webgpu (experimental) or auto; default cpu
  --steps N    number of repetitions; default as many as take a few seconds
  --json       print one JSON object per case
  --profile    also print the most expensive ONNX operators; slows the benchmark
  --verbose    print stack traces of errors
  --help       print this text

The maximum speed of this machine is measured with a product of two 2048 × 2048 matrices (GFLOP/s), and with the products
of all weight matrices of the model and a vector (milliseconds).

Examples:
  deno task bench
  deno task bench train --shape 15m --batch 4 --profile
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
 * @param cores default number of threads
 * @throws {UsageError} listing all invalid flags
 */
export function readBenchFlags(args: readonly string[], cores: number): BenchFlags {
  const flags = readFlags(args, {
    booleans: ["json", "profile"],
    strings: ["shape", "batch", "seq", "threads", "device", "steps"],
  });
  const isKind = (kind: string): kind is Kind => KINDS.some((known) => known === kind);
  for (const kind of flags.words.filter((word) => !isKind(word))) {
    flags.problems.push(`unknown case "${kind}", known are ${KINDS.join(", ")}`);
  }
  const shape = flags.oneOf("shape", SHAPE_NAMES) ?? "3m";
  const batch = flags.integer("batch", { min: 1 }), length = flags.integer("seq", { min: 2 });
  const threads = flags.integer("threads", { min: 1 }) ?? cores, steps = flags.integer("steps", { min: 1 });
  const device = flags.text("device");
  flags.check();
  const cases = (flags.words.length > 0 ? flags.words.filter(isKind) : KINDS).map((kind): CaseSpec => {
    const defaults = DEFAULTS[kind](shape);
    return {
      kind,
      shape,
      batch: batch ?? defaults.batch,
      length: length ?? defaults.length,
      steps,
      threads,
      ...(device !== undefined && { device }),
    };
  });
  return { cases, json: flags.has("json"), profile: flags.has("profile") };
}

/** A record, with `--profile` also the profile: what `--json` prints. */
type Measured = BenchRecord & { readonly profile?: readonly ProfileLine[] };

/** Measures a case in this process. */
async function measure(spec: CaseSpec, profile: boolean): Promise<Measured> {
  const found = await inTemporaryDirectory((directory) => runCase(spec, { directory, profile }));
  return found.profile ? { ...found.record, profile: found.profile } : found.record;
}

/**
 * Measures a case in a separate process, so that memory and threads are those of the case alone.
 * @returns the exit code if the process failed; it has printed why
 */
async function measureApart(spec: CaseSpec, profile: boolean): Promise<Measured | number> {
  const { shape, batch, length: seq, threads, device, steps } = spec;
  const numbers = {
    shape,
    batch,
    seq,
    threads,
    ...(device !== undefined && { device }),
    ...(steps !== undefined && { steps }),
  };
  const args = [
    ...[spec.kind, "--json", ...(profile ? ["--profile"] : [])],
    ...Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ];
  const { code, output } = await runDeno(new URL(import.meta.url), args, {
    read: [projectRoot],
    write: [join(projectRoot, "runs"), join(projectRoot, "node_modules", ".cache", "srppo")],
    run: ["cat"],
    ffi: true,
  });
  return code === EXIT.ok ? JSON.parse(output) as Measured : code;
}

/** Measures how checkpoints load and prints one line each. */
async function measureLoading(json: boolean): Promise<number> {
  for (const [name, shape] of Object.entries(LOAD_SHAPES)) {
    const found = await benchLoad(name, shape);
    const { seconds, peak_bytes: peak, start_bytes: start, weight_bytes: weights } = found;
    const line = `load ${name.padEnd(6)} ${seconds.toFixed(2)} s, peak ${spellBytes(peak)} of which ` +
      `${spellBytes(weights)} weights and ${spellBytes(start)} before loading`;
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

/** Measures the server and prints its lines. */
async function measureServing(args: readonly string[]): Promise<number> {
  const flags = readFlags(args, { booleans: ["json"], strings: ["shape", "threads", "steps"], maxWords: 0 });
  const spec = {
    shape: flags.oneOf("shape", SHAPE_NAMES) ?? "135m",
    threads: flags.integer("threads", { min: 1 }) ?? navigator.hardwareConcurrency,
    rounds: flags.integer("steps", { min: 1 }) ?? 3,
  };
  flags.check();
  configureRuntime({ threads: spec.threads });
  const found = await benchServe({ ...spec, clients: 32, tokens: 128 });
  console.log(flags.has("json") ? JSON.stringify(found) : serveLines(found));
  return EXIT.ok;
}

/** Cases without a shape. */
const SEPARATE: Readonly<Record<string, (json: boolean) => Promise<number>>> = {
  load: measureLoading,
  tokenize: measureTokenizing,
};

async function main(args: readonly string[]): Promise<number> {
  const [first = "", ...rest] = args;
  if (first === "serve") return await measureServing(rest);
  const separate = Object.hasOwn(SEPARATE, first) ? SEPARATE[first] : undefined;
  if (separate && rest.every((arg) => arg === "--json")) return await separate(rest.length > 0);
  const { cases, json, profile } = readBenchFlags(args, navigator.hardwareConcurrency);
  if (!json) console.log(tableHead());
  for (const spec of cases) {
    const found = cases.length === 1 ? await measure(spec, profile) : await measureApart(spec, profile);
    if (typeof found === "number") return found;
    console.log(json ? JSON.stringify(found) : tableLine(found));
    if (!json && found.profile) console.log(renderProfile(found.profile));
  }
  return EXIT.ok;
}

if (import.meta.main) await runCommand(main, HELP);
