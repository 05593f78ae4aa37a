/** Best-of-n curves: the expected metric of the best among n samples of a prompt. @module */

/** The samples of one prompt. */
export interface ScoredSample {
  /** the metric that is reported */
  readonly value: number;
  /** by which the best is chosen: the metric itself, or a reward */
  readonly chosenBy: number;
}

/**
 * Returns, for n = 1 … N, the expected value of the sample that ranks first by `chosenBy` among n samples drawn without
 * replacement from the N of a prompt, averaged over prompts. Samples of equal rank share their place. With a metric of 0 and 1 as
 * `chosenBy` this is pass@n of Chen et al. 2021 (arXiv:2107.03374), eq. 1.
 * @param prompts N samples each
 */
export function bestOfN(prompts: readonly (readonly ScoredSample[])[]): number[] {
  const size = prompts[0]?.length ?? 0, curve = new Array<number>(size).fill(0);
  for (const samples of prompts) {
    const sorted = withTiesAveraged(samples);
    for (let n = 1; n <= size; n++) {
      // P(sample k, k better ones before it, is the best of n) = C(N−1−k, n−1) / C(N, n)
      let probability = n / size, expected = 0;
      for (let k = 0; k + n <= size; k++) {
        expected += probability * sorted[k]!;
        probability *= (size - k - n) / (size - 1 - k);
      }
      curve[n - 1]! += expected / prompts.length;
    }
  }
  return curve;
}

/** Returns the values, best first by `chosenBy`; those of equal rank are replaced by their mean. */
function withTiesAveraged(samples: readonly ScoredSample[]): number[] {
  const groups = Map.groupBy(
    [...samples].sort((a, b) => b.chosenBy - a.chosenBy),
    ({ chosenBy }) => chosenBy,
  );
  return [...groups.values()].flatMap((group) => {
    const mean = group.reduce((sum, { value }) => sum + value, 0) / group.length;
    return group.map(() => mean);
  });
}
