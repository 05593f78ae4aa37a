/** Lines of a golden report: for a person, one per check, and for programs, one JSON object each. @module */
import pc from "picocolors";
import type { Golden } from "./find_goldens.ts";
import type { CheckLine } from "./tally.ts";

/** How lines are shown. */
export interface RenderOptions {
  /** for a terminal */
  readonly colors: boolean;
  /** the error at every place under its check, and where the largest is */
  readonly verbose: boolean;
  /** width of the column of names */
  readonly nameWidth: number;
}

/** A check as a line for a person; with `verbose` its places follow, one line each. */
export function renderLine({ name }: Golden, line: CheckLine, options: RenderOptions): string {
  const paint = pc.createColors(options.colors);
  const verdict = line.ok ? paint.green("ok") : paint.red("FAIL");
  const where = line.worst !== "" && (options.verbose || !line.ok) ? `  ${line.worst}` : "";
  const head = `${name.padEnd(options.nameWidth)}  ${line.check.padEnd(31)}`;
  const bar = `bar ${spell(line.bar)}`.padEnd(8);
  const places = options.verbose && line.places.length > 1
    ? line.places.map(({ place, error }) => `\n${paint.dim(`    ${spell(error).padStart(6)}  ${place}`)}`)
    : [];
  return `${head}  ${spell(line.largestError).padStart(6)}  ${bar}  ${verdict}${where}${places.join("")}`;
}

/** A check as a JSON object on one line; an error that is no number is null. */
export function jsonLine({ name, kind, path }: Golden, line: CheckLine): string {
  const { check, measure, bar, ok, worst } = line;
  const error = Number.isFinite(line.largestError) ? line.largestError : null;
  return JSON.stringify({ golden: name, kind, path, check, measure, largest_error: error, bar, ok, worst });
}

/** How it went, as the last line. */
export function renderTotal(goldens: number, lines: readonly CheckLine[], colors: boolean): string {
  const paint = pc.createColors(colors), failed = lines.filter(({ ok }) => !ok).length;
  const checks = `${lines.length} check${lines.length === 1 ? "" : "s"}`;
  const counts = `${checks} of ${goldens} golden${goldens === 1 ? "" : "s"}: ${lines.length - failed} ok, `;
  return counts + (failed === 0 ? "0 failed" : paint.red(`${failed} failed`));
}

function spell(value: number): string {
  if (value === Infinity) return "–";
  if (Number.isInteger(value)) return String(value);
  return value.toExponential(1).replace(".0e", "e");
}
