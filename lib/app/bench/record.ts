/** The record of a case: one JSON object per line, or one line for a person. @module */
import { spellBytes } from "../machine.ts";
import type { CaseResult, CaseSpec, Kind } from "./bench_case.ts";
import type { CeilingFigures } from "./ceilings.ts";
import { summarise, type Summary } from "./timing.ts";

/** Where it was measured. */
export interface MachineFigures {
  readonly cpu: string;
  readonly instruction_sets: readonly string[];
  readonly onnxruntime: string;
  readonly deno: string;
}

/** What a case is about to tell; the names are those on disk. */
export interface BenchRecord extends MachineFigures {
  readonly kind: Kind;
  readonly shape: string;
  readonly batch: number;
  /** tokens of a row (train), new tokens (generate), prompt and response (iteration) */
  readonly seq: number;
  readonly threads: number;
  readonly samples: number;
  /** of one train step, one decode step, one iteration */
  readonly ms: Summary;
  /** trained, generated, or response tokens of an iteration */
  readonly tokens_per_second: number;
  readonly gflops: number;
  /** of the process before the ceilings were measured */
  readonly peak_memory_bytes: number;
  readonly ceilings: CeilingFigures;
  /** `gemm`: gflops / ceilings.gemm_gflops; `matvec`: ceilings.matvec_<shape>_ms / ms.median, decoding only */
  readonly ratios: Readonly<Record<string, number>>;
  readonly details: Readonly<Record<string, unknown>>;
}

/** All that is told about a case. Rates are those of the median step. */
export function makeRecord(
  spec: CaseSpec,
  result: CaseResult,
  measured: {
    readonly peakMemoryBytes: number;
    readonly ceilings: CeilingFigures;
    readonly machine: MachineFigures;
  },
): BenchRecord {
  const ms = summarise(result.ms), gflops = result.flops / ms.median / 1e6;
  const { ceilings, machine, peakMemoryBytes } = measured;
  const matvec = ceilings[`matvec_${spec.shape}_ms`];
  return {
    kind: spec.kind,
    shape: spec.shape,
    batch: spec.batch,
    seq: spec.length,
    threads: spec.threads,
    samples: result.ms.length,
    ms,
    tokens_per_second: result.tokens / ms.median * 1000,
    gflops,
    peak_memory_bytes: peakMemoryBytes,
    ceilings,
    ratios: {
      gemm: gflops / ceilings.gemm_gflops!,
      ...(spec.kind === "generate" && matvec !== undefined ? { matvec: matvec / ms.median } : {}),
    },
    ...machine,
    details: result.details ?? {},
  };
}

const HEADS = ["case", "ms", "min–max", "tokens/s", "GFLOP/s", "of GEMM", "of matvec", "peak"] as const;
const WIDTHS = [28, 9, 17, 9, 8, 8, 10, 8] as const;

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => i === 0 ? cell.padEnd(WIDTHS[i]!) : cell.padStart(WIDTHS[i]!)).join("  ")
    .trimEnd();
}

/** The line above the lines of a table. */
export function tableHead(): string {
  return row(HEADS);
}

/** One line of the table, and under it what else a person wants to know. */
export function tableLine(record: BenchRecord): string {
  const { kind, shape, batch, seq, ms, ratios, ceilings } = record;
  const percent = (ratio: number | undefined) => ratio === undefined ? "" : `${Math.round(ratio * 100)} %`;
  const line = row([
    `${kind} ${shape} B ${batch} T ${seq}`,
    figure(ms.median),
    `${figure(ms.min)}–${figure(ms.max)}`,
    record.tokens_per_second.toFixed(0),
    figure(record.gflops),
    percent(ratios.gemm),
    percent(ratios.matvec),
    spellBytes(record.peak_memory_bytes),
  ]);
  const { gemm_gflops, ...matvec } = ceilings;
  const notes = [
    `GEMM ${figure(gemm_gflops!)} GFLOP/s`,
    ...Object.entries(matvec).map(([name, value]) =>
      `matvec ${name.replace(/^matvec_|_ms$/g, "")} ${figure(value)} ms`
    ),
    ...Object.entries(record.details.stages_ms ?? {}).map(([stage, { median }]) =>
      `${stage} ${figure(median)} ms`
    ),
  ];
  return `${line}\n  ${notes.join(", ")}`;
}

/** Three digits that count. */
function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
