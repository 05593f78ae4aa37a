/**
 * Statistics of an experiment's tables: means over seeds, differences to the controls paired by seed, costs. Rows in,
 * rows out.
 * @module
 */
import type { DecodingMode } from "@/lib/data/contracts/evals.ts";
import type { ResultRow } from "@/lib/data/contracts/results.ts";
import type { CostRow, StageWork } from "./collect.ts";
import { type Spread, spreadOf } from "@/lib/report/spread.ts";
import { holm, type PairedDifference, pairedDifference } from "./statistics.ts";

/** One arm at one point of the grid. */
interface Place {
  readonly arm: string;
  /** JSON object of the grid's axes */
  readonly point: string;
}

/** Mean and deviation of a metric over seeds. */
interface Summary extends Place, Spread {
  readonly mode: DecodingMode;
  readonly metric: string;
}

/** Difference of an arm and a control at the same point of the grid, over the seeds that both have. */
export interface Difference extends Place, PairedDifference {
  readonly against: string;
  readonly mode: DecodingMode;
  readonly metric: string;
  /** p adjusted by Holm's method for the differences to this control in this mode and metric */
  readonly adjustedP: number | null;
}

/** Mean cost of an arm's model per seed. */
interface Cost extends Place {
  readonly n: number;
  /** wall seconds of all stages that made the model */
  readonly seconds: Spread;
  /** means over seeds, by stage id */
  readonly work: Readonly<Record<string, StageWork>>;
}

function grouped<Row>(rows: readonly Row[], key: (row: Row) => string): Row[][] {
  return [...Map.groupBy(rows, key).values()];
}

const metricKey = (row: ResultRow) => JSON.stringify([row.arm, row.point, row.mode, row.metric]);

/** Returns means over seeds, in the order of the rows. */
export function summaries(rows: readonly ResultRow[]): Summary[] {
  return grouped(rows, metricKey).map((group) => {
    const { arm, point, mode, metric } = group[0]!;
    return { arm, point, mode, metric, ...spreadOf(group.map((row) => row.mean)) };
  });
}

/** Returns all differences to `controls`, by control, mode and metric. */
export function differencesTo(rows: readonly ResultRow[], controls: readonly string[]): Difference[] {
  const groups = grouped(rows, metricKey);
  const found: Omit<Difference, "adjustedP">[] = [];
  for (const against of controls) {
    for (const group of groups) {
      const { arm, point, mode, metric } = group[0]!;
      if (arm === against) continue;
      const control = new Map(
        rows.filter((row) =>
          row.arm === against && row.point === point && row.mode === mode && row.metric === metric
        ).map((row) => [row.seed, row.mean]),
      );
      const pairs = group.filter((row) => control.has(row.seed));
      if (pairs.length === 0) continue;
      const difference = pairedDifference(
        pairs.map((row) => row.mean),
        pairs.map((row) => control.get(row.seed)!),
      );
      found.push({ arm, point, against, mode, metric, ...difference });
    }
  }
  const families = grouped(found, (d) => JSON.stringify([d.against, d.mode, d.metric]));
  const adjusted = new Map(families.flatMap((family) => {
    const tested = family.filter((d) => d.p !== null);
    const raised = holm(tested.map((d) => d.p!));
    return tested.map((d, k) => [d, raised[k]!] as const);
  }));
  return found.map((d) => ({ ...d, adjustedP: adjusted.get(d) ?? null }));
}

/** Returns mean costs over seeds. */
export function costsOf(rows: readonly CostRow[]): Cost[] {
  return grouped(rows, ({ arm, point }) => JSON.stringify([arm, point])).map((group) => {
    const { arm, point } = group[0]!;
    const kinds = [...new Set(group.flatMap(({ work }) => Object.keys(work)))];
    const mean = (kind: string, what: keyof StageWork) =>
      group.reduce((sum, { work }) => sum + (work[kind]?.[what] ?? 0), 0) / group.length;
    const totals = group.map(({ work }) =>
      Object.values(work).reduce((sum, { seconds }) => sum + seconds, 0)
    );
    return {
      arm,
      point,
      n: group.length,
      seconds: spreadOf(totals),
      work: Object.fromEntries(
        kinds.map((kind) => [kind, { seconds: mean(kind, "seconds"), tokens: mean(kind, "tokens") }]),
      ),
    };
  });
}
