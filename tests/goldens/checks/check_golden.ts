/** Checks one golden of any kind; an error becomes a failed line of the report. @module */
import type { Golden } from "./find_goldens.ts";
import { GOLDEN_KINDS } from "./golden_kinds.ts";
import type { CheckLine } from "./tally.ts";

/**
 * Returns the lines of a golden.
 * @param onError called with every error that became a line
 */
export async function checkGolden(
  { kind, path }: Golden,
  onError: (error: unknown) => void = () => {},
): Promise<CheckLine[]> {
  if (kind === "unknown") {
    const known = Object.keys(GOLDEN_KINDS).join(", ");
    return [problemLine(kind, `${path} must be a golden of kind ${known}, got an unknown one`)];
  }
  try {
    return await GOLDEN_KINDS[kind].check(path);
  } catch (error) {
    onError(error);
    return [problemLine(kind, error instanceof Error ? error.message : String(error))];
  }
}

function problemLine(check: string, problem: string): CheckLine {
  const largestError = Infinity;
  return { check, measure: "differences", bar: 0, largestError, ok: false, worst: problem, places: [] };
}
