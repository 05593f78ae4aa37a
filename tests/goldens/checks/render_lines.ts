/** Lines of a golden report, as text or as JSON objects. @module */
import pc from "picocolors";
import type { Golden } from "./find_goldens.ts";
import type { CheckLine } from "./tally.ts";

/** How lines are shown. */
export interface LineOptions {
  /** with terminal colours */
  readonly colors: boolean;
  /** the error at every place, and the place of the largest */
  readonly verbose: boolean;
  /** width of the column of names */
  readonly nameWidth: number;
}

/** Returns a check as a line of text; with `verbose` its places follow, one line each. */
export function renderLine({ name }: Golden, line: CheckLine, options: LineOptions): string {
  const paint = pc.createColors(options.colors);
  const verdict = line.ok ? paint.green("ok") : paint.red("FAIL");
  const where = line.worst !== "" && (options.verbose || !line.ok) ? `  ${line.worst}` : "";
  const head = `${name.padEnd(options.nameWidth)}  ${line.check.padEnd(31)}`;
  const tolerance = `tolerance ${spell(line.bar)}`.padEnd(14);
  const places = options.verbose && line.places.length > 1
    ? line.places.map(({ place, error }) => `\n${paint.dim(`    ${spell(error).padStart(6)}  ${place}`)}`)
    : [];
  return `${head}  ${spell(line.largestError).padStart(6)}  ${tolerance}  ${verdict}${where}${
    places.join("")
  }`;
}

/** Returns a check as a JSON object on one line; an error that is not finite is null. */
export function jsonLine({ name, kind, path }: Golden, line: CheckLine): string {
  const { check, measure, bar, ok, worst } = line;
  const error = Number.isFinite(line.largestError) ? line.largestError : null;
  return JSON.stringify({ golden: name, kind, path, check, measure, largest_error: error, bar, ok, worst });
}

/** Returns the last line: how many checks passed and failed. */
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
