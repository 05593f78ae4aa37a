/**
 * Limits of YAML documents: their size, their depth, and what their aliases expand to. A small text with aliases of aliases
 * stands for a value of any size, and an alias of a value that contains it for an endless one.
 * @module
 */

/** Limit of the bytes of a manifest or an experiment. */
export const MAX_YAML_BYTES = 1 << 18;
/** Limit of the depth of maps and lists in it. */
export const MAX_YAML_DEPTH = 100;
/** Limit of the values that aliases expand to. */
const MAX_VALUES = 1_000_000;

/** Returns what is wrong with the amount of a value that YAML text gave; undefined if nothing is. */
export function amountProblem(value: unknown): string | undefined {
  let values = 0;
  const visit = (value: unknown, depth: number): string | undefined => {
    if (++values > MAX_VALUES) return `aliases must expand to at most ${MAX_VALUES} values, got more`;
    if (typeof value !== "object" || value === null) return undefined;
    if (depth === MAX_YAML_DEPTH) {
      return `maps and lists must be nested at most ${MAX_YAML_DEPTH} deep, got more (or an alias within its own value)`;
    }
    for (const item of Object.values(value)) {
      const problem = visit(item, depth + 1);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
  return visit(value, 0);
}
