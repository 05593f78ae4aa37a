/**
 * What two runs have in common and what not: inputs, parameters, code, and the metrics of their evaluations.
 * @module
 */
import { largest } from "@/lib/compute/tensor/large_lists.ts";
import type { EvalRow } from "@/lib/data/contracts/evals.ts";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import type { InputDigest } from "@/lib/pipeline/engine/key.ts";
import type { RunLock } from "@/lib/pipeline/engine/run_directory.ts";
import { decimal, signed } from "@/lib/report/format.ts";

/** One run: its run.lock.yaml and the events of its log. */
export interface ComparedRun {
  readonly lock: RunLock;
  readonly events: readonly RunEvent[];
}

/** A value that differs; null: the run does not have it. */
interface Difference {
  /** `seed`, `input base`, `ppo.update.beta`, `sft code` */
  readonly name: string;
  readonly a: unknown;
  readonly b: unknown;
}

/** A metric of a model, in both runs or one of them. */
interface MetricDifference {
  readonly stage: string;
  readonly model: string;
  readonly mode: string;
  readonly metric: string;
  readonly a: number | null;
  readonly b: number | null;
}

/** The differences of two runs. */
export interface RunDifference {
  readonly differences: readonly Difference[];
  readonly metrics: readonly MetricDifference[];
}

type LockedNode = RunLock["nodes"][string];

/** Returns how `b` differs from `a`. Of copies and iterations of a stage, only the first is compared. */
export function diffRuns(a: ComparedRun, b: ComparedRun): RunDifference {
  const differences: Difference[] = [];
  const compare = (name: string, left: unknown, right: unknown) => {
    if (JSON.stringify(left) !== JSON.stringify(right)) {
      differences.push({ name, a: left ?? null, b: right ?? null });
    }
  };
  compare("manifest", a.lock.manifest, b.lock.manifest);
  compare("seed", a.lock.seed, b.lock.seed);
  for (const name of names(a.lock.inputs, b.lock.inputs)) {
    compare(`input ${name}`, a.lock.inputs[name]?.digest, b.lock.inputs[name]?.digest);
  }
  const left = firstNodes(a.lock), right = firstNodes(b.lock);
  for (const stage of names(left, right)) {
    const one = left[stage], other = right[stage];
    compare(`${stage} stage`, one?.stage, other?.stage);
    if (!one || !other) continue;
    compare(`${stage} code`, one.code, other.code);
    for (const param of names(one.params, other.params)) {
      compare(`${stage}.${param}`, one.params[param], other.params[param]);
    }
    for (const port of names(one.inputs, other.inputs)) {
      // Digests of other inputs differ where something before differs; here it matters what is connected.
      compare(`${stage} input ${port}`, shape(one.inputs[port]), shape(other.inputs[port]));
    }
  }
  compare("stages in all", Object.keys(a.lock.nodes).length, Object.keys(b.lock.nodes).length);
  return { differences, metrics: metricDifferences(a.events, b.events) };
}

/** Returns the differences as text. @param shown names of the two runs */
export function differenceText(
  { differences, metrics }: RunDifference,
  shown: readonly [string, string],
): string {
  const lines = differences.map(({ name, a, b }) => `${name}: ${valueText(a)} → ${valueText(b)}`);
  const changed = metrics.filter(({ a, b }) => a !== b);
  const rows = changed.map(({ stage, model, mode, metric, a, b }) => [
    `${stage} ${model} ${mode} ${metric}`,
    decimal(a ?? undefined, 4),
    decimal(b ?? undefined, 4),
    signed(a === null || b === null ? undefined : b - a, 4),
  ]);
  const widths = [0, 1, 2, 3].map((column) => largest(rows.map((row) => row[column]!.length), 0));
  const table = rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[i]!))
  );
  return [
    `${shown[0]} → ${shown[1]}`,
    ...(lines.length === 0 ? ["same inputs, parameters, code and seed"] : lines),
    ...(metrics.length > 0 && rows.length === 0 ? [`all ${metrics.length} metrics are equal`] : []),
    ...table.map((row) => row.join("  ")),
  ].map((line) => `${line}\n`).join("");
}

function metricDifferences(a: readonly RunEvent[], b: readonly RunEvent[]): MetricDifference[] {
  const left = evaluations(a), right = evaluations(b);
  return names(Object.fromEntries(left), Object.fromEntries(right)).map((key) => {
    const [stage, model, mode, metric] = JSON.parse(key) as [string, string, string, string];
    return { stage, model, mode, metric, a: left.get(key) ?? null, b: right.get(key) ?? null };
  });
}

/** Returns the means of the last evaluation of each stage. */
function evaluations(events: readonly RunEvent[]): ReadonlyMap<string, number> {
  const found = new Map<string, readonly EvalRow[]>();
  for (const event of events) if (event.type === "evals") found.set(event.stage, event.rows);
  return new Map(
    [...found].flatMap(([stage, rows]) =>
      rows.map(({ model, mode, metric, mean }) =>
        [JSON.stringify([stage, model, mode, metric]), mean] as const
      )
    ),
  );
}

function firstNodes({ nodes }: RunLock): Record<string, LockedNode> {
  const first: Record<string, LockedNode> = {};
  for (const [id, node] of Object.entries(nodes)) first[id.replace(/\[\d+\]$/, "")] ??= node;
  return first;
}

/** Returns how many values a port has, by name where they have names. */
function shape(digest: InputDigest | undefined): unknown {
  if (digest === undefined || typeof digest === "string") return digest && 1;
  return Array.isArray(digest) ? digest.length : Object.keys(digest);
}

function names(a: object, b: object): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])];
}

function valueText(value: unknown): string {
  if (value === null) return "none";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[0-9a-f]{64}$/.test(text) ? text.slice(0, 12) : text;
}
