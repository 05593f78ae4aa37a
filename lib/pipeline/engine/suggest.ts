/**
 * Messages about unknown names: "did you mean", by edit distance.
 * @module
 */

/** Returns the Levenshtein distance where a swap of neighbours counts as one edit (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, before[j - 2]! + 1);
      }
      row.push(cost);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}

/** Returns the candidate nearest to `name`, if it is near enough to be a typing error. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase());
    if (d < least) [best, least] = [candidate, d];
  }
  return best;
}

/** Longer lists do not help in an error message. */
const MOST_LISTED = 12;

/** Returns `, did you mean "x"?` or, with nothing near, `, known are a, b, c` (empty if none or very many are known). */
export function suggestion(name: string, candidates: Iterable<string>): string {
  const known = [...candidates];
  const near = nearest(name, known);
  if (near !== undefined) return `, did you mean "${near}"?`;
  return known.length === 0 || known.length > MOST_LISTED ? "" : `, known are ${known.join(", ")}`;
}

/**
 * Returns a message about an unknown name of a `kind` (`parameter`).
 * @param renamed old names with their new ones
 */
export function unknownName(
  kind: string,
  name: string,
  candidates: Iterable<string>,
  renamed: Readonly<Record<string, string>> = {},
): string {
  const isNow = Object.hasOwn(renamed, name) ? `: it is now "${renamed[name]}"` : undefined;
  return `unknown ${kind} "${name}"${isNow ?? suggestion(name, candidates)}`;
}
