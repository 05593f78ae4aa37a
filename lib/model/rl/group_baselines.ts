/** Advantages without a critic: the baseline of a response is the reward of the other responses to its prompt. @module */
import { listed } from "@/lib/compute/tensor/listed.ts";
import { moments, sampleDeviation } from "./moments.ts";
import { checkEqualLengths, type Row } from "./rows.ts";

/**
 * Returns the RLOO advantages: s_i − mean of the scores of the OTHER responses to the same prompt, [B].
 *
 * a_i = (n·s_i − Σs)/(n − 1) over the n responses of the group.
 * Source: Kool et al. 2019; Ahmadian et al. 2024 (arXiv:2402.14740), eq. 7.
 *
 * @param scores one per response
 * @param groups the prompt of each response; any order
 * @throws {ShapeError} if the lengths differ
 * @throws {RangeError} if a group has a single response
 * @example Two responses to one prompt
 * ```ts
 * import { rloo } from "@/lib/model/rl/group_baselines.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals([...rloo([1, 4], [0, 0])], [-3, 3]);
 * ```
 */
export function rloo(scores: Row, groups: Row): Float64Array<ArrayBuffer> {
  return perGroup(scores, groups, 2, (own) => {
    const { mean, count } = moments([own]);
    return (s) => (s - mean) * count / (count - 1);
  });
}

/**
 * Returns s_i − mean of the group, i included, [B]: RLOO times (n − 1)/n; 0 for a group of one.
 * @throws {ShapeError} if the lengths differ
 */
export function groupMeanBaseline(scores: Row, groups: Row): Float64Array<ArrayBuffer> {
  return perGroup(scores, groups, 1, (own) => {
    const { mean } = moments([own]);
    return (s) => s - mean;
  });
}

/**
 * Returns the GRPO advantages: (s_i − mean)/(std + ε) of the group, with the sample deviation (n − 1), [B].
 *
 * Source: Shao et al. 2024 (arXiv:2402.03300), section 4.1.2.
 * Differs from the paper: ε in the denominator, 1e-4 as in TRL (verl: 1e-6), and the n − 1 form, as in both.
 *
 * @throws {ShapeError} if the lengths differ
 * @param options.epsilon in units of the scores; default 1e-4
 * @throws {RangeError} if a group has a single response
 */
export function grpo(
  scores: Row,
  groups: Row,
  options: { readonly epsilon?: number } = {},
): Float64Array<ArrayBuffer> {
  const { epsilon = 1e-4 } = options;
  return perGroup(scores, groups, 2, (own) => {
    const { mean } = moments([own]);
    const deviation = sampleDeviation(own);
    return (s) => s === mean ? 0 : (s - mean) / (deviation + epsilon);
  });
}

/** Applies to each score the function that `make` returns for the scores of its group. */
function perGroup(
  scores: Row,
  groups: Row,
  smallest: number,
  make: (own: readonly number[]) => (score: number) => number,
): Float64Array<ArrayBuffer> {
  checkEqualLengths({ scores, groups });
  const members = new Map<number, number[]>();
  for (let i = 0; i < scores.length; i++) {
    const group = members.get(groups[i]!);
    if (group) group.push(scores[i]!);
    else members.set(groups[i]!, [scores[i]!]);
  }
  const small = [...members].filter(([, own]) => own.length < smallest).map(([group]) => group);
  if (small.length > 0) {
    throw new RangeError(
      `Every group must have at least ${smallest} responses, got fewer in group ${
        listed(small.map(String), { separator: ", " })
      }`,
    );
  }
  const functions = new Map([...members].map(([group, own]) => [group, make(own)]));
  return Float64Array.from(scores, (s, i) => functions.get(groups[i]!)!(s));
}
