/** The record of a case, as a JSON object or as a line of a table. @module */
import { spellBytes } from "@/lib/app/machine.ts";
import type { CaseResult, CaseSpec, Kind } from "./bench_case.ts";
import type { CeilingValues } from "./ceilings.ts";
import { summarise, type TimeSummary } from "./timing.ts";

/** The machine of a measurement. */
export interface Machine {
  readonly cpu: string;
  readonly instruction_sets: readonly string[];
  readonly onnxruntime: string;
  readonly deno: string;
}

/** The record of a case, with the names on disk. */
export interface BenchRecord extends Machine {
  readonly kind: Kind;
  readonly shape: string;
  readonly batch: number;
  /** tokens of a row (train), new tokens (generate), prompt and response (iteration) */
  readonly seq: number;
  readonly threads: number;
  readonly device: string;
  readonly samples: number;
  /** of one train step, one decode step, one iteration */
  readonly ms: TimeSummary;
  /** trained, generated, or response tokens of an iteration */
  readonly tokens_per_second: number;
  readonly gflops: number;
  /** of the process, before the ceilings are built */
  readonly peak_memory_bytes: number;
  readonly ceilings: CeilingValues;
  /** `gemm`: gflops / ceilings.gemm_gflops; `matvec`: ceilings.matvec_<shape>_ms / ms.median, decoding only */
  readonly ratios: Readonly<Record<string, number>>;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Returns the record of a case. Rates are those of the median step. */
export function makeRecord(
  spec: CaseSpec,
  result: CaseResult,
  measured: {
    readonly peakMemoryBytes: number;
    readonly ceilings: CeilingValues;
    readonly machine: Machine;
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
    device: spec.device ?? "cpu",
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

/** Returns the head of the table. */
export function tableHead(): string {
  return row(HEADS);
}

/** Returns one line of the table, with ceilings and stages below it. */
export function tableLine(record: BenchRecord): string {
  const { kind, shape, batch, seq, device, ms, ratios, ceilings } = record;
  const on = device === "cpu" ? "" : ` ${device}`;
  const percent = (ratio: number | undefined) => ratio === undefined ? "" : `${Math.round(ratio * 100)} %`;
  const line = row([
    `${kind} ${shape} B ${batch} T ${seq}${on}`,
    digits(ms.median),
    `${digits(ms.min)}–${digits(ms.max)}`,
    record.tokens_per_second.toFixed(0),
    digits(record.gflops),
    percent(ratios.gemm),
    percent(ratios.matvec),
    spellBytes(record.peak_memory_bytes),
  ]);
  const { gemm_gflops, ...matvec } = ceilings;
  const notes = [
    `GEMM ${digits(gemm_gflops!)} GFLOP/s`,
    ...Object.entries(matvec).map(([name, value]) =>
      `matvec ${name.replace(/^matvec_|_ms$/g, "")} ${digits(value)} ms`
    ),
    ...Object.entries(record.details.stages_ms ?? {}).map(([stage, { median }]) =>
      `${stage} ${digits(median)} ms`
    ),
  ];
  return `${line}\n  ${notes.join(", ")}`;
}

/** Returns three significant digits. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
