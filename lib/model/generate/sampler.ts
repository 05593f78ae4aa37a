/**
 * Draws a token from a row of probabilities. The caller gives the random number, so that it can depend on the response and the
 * position alone; sums run in index order in f64, so that equal rows give equal tokens.
 * @module
 */
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** How tokens are sampled. */
export interface Sampling {
  /** divides the logits; 0 takes the most probable token */
  readonly temperature: number;
  /** only the k most probable tokens; 0 or undefined: all */
  readonly topK?: number;
  /** only the fewest most probable tokens whose probabilities reach p; 1 or undefined: all */
  readonly topP?: number;
}

/** A token and its log-probability in nats under the distribution that it was drawn from. */
interface Draw {
  readonly id: number;
  readonly logprob: number;
}

/** Checks that the settings are in range. @throws {UsageError} listing those that are not */
export function checkSampling({ temperature, topK = 0, topP = 1 }: Sampling): void {
  const problems = [
    ...(temperature >= 0 && Number.isFinite(temperature)
      ? []
      : [`temperature must be at least 0, got ${temperature}`]),
    ...(Number.isInteger(topK) && topK >= 0 ? [] : [`top_k must be an integer of at least 0, got ${topK}`]),
    ...(topP > 0 && topP <= 1 ? [] : [`top_p must be in (0, 1], got ${topP}`]),
  ];
  if (problems.length > 0) throw new UsageError(`Invalid sampling settings: ${problems.join("; ")}`);
}

/** Returns the most probable token, of equals the first, with its log-probability in the row. */
export function mostProbable(probabilities: Float32Array): Draw {
  let id = 0;
  for (let i = 1; i < probabilities.length; i++) if (probabilities[i]! > probabilities[id]!) id = i;
  return { id, logprob: Math.log(probabilities[id]!) };
}

/**
 * Returns the token at which the running sum of probabilities exceeds u (inverse transform sampling).
 * @param u in [0, 1)
 */
export function draw(probabilities: Float32Array, u: number, { topK = 0, topP = 1 }: Sampling): Draw {
  return isRestricted({ topK, topP }, probabilities.length)
    ? drawFrom(probabilities, kept(probabilities, topK, topP), u)
    : drawFrom(probabilities, null, u);
}

/** Returns whether top-k or top-p leave out tokens of a vocabulary. */
export function isRestricted(
  { topK = 0, topP = 1 }: Pick<Sampling, "topK" | "topP">,
  vocabSize: number,
): boolean {
  return (topK > 0 && topK < vocabSize) || topP < 1;
}

/** The most probable tokens of a row, in any order. */
interface Candidates {
  readonly ids: readonly number[];
  readonly probabilities: Float32Array;
  /** sum of the probabilities of the whole row */
  readonly total: number;
}

/**
 * Returns the token that `draw()` takes from the whole row, from its most probable tokens: as many as top-k, or those that
 * reach top-p.
 * @returns undefined if they do not reach top-p
 */
export function drawAmong(
  { ids, probabilities, total }: Candidates,
  u: number,
  { topK = 0, topP = 1 }: Sampling,
): Draw | undefined {
  const order = ids.map((_, i) => i).sort((a, b) =>
    probabilities[b]! - probabilities[a]! || ids[a]! - ids[b]!
  );
  let count = order.length;
  if (topP < 1) {
    const goal = topP * (topK > 0 ? order.reduce((sum, i) => sum + probabilities[i]!, 0) : total);
    let sum = 0;
    const last = order.findIndex((i) => (sum += probabilities[i]!) >= goal);
    if (last < 0) return undefined;
    count = last + 1;
  }
  const kept = order.slice(0, count).sort((a, b) => ids[a]! - ids[b]!);
  const row = Float32Array.from(kept, (i) => probabilities[i]!), all = Int32Array.from(kept.keys());
  const { id, logprob } = drawFrom(row, all, u);
  return { id: ids[kept[id]!]!, logprob };
}

function drawFrom(probabilities: Float32Array, ids: Int32Array | null, u: number): Draw {
  let mass = 1;
  if (ids) {
    mass = 0;
    for (const id of ids) mass += probabilities[id]!;
  }
  const count = ids ? ids.length : probabilities.length, goal = u * mass;
  let sum = 0, last = -1;
  for (let i = 0; i < count; i++) {
    const id = ids ? ids[i]! : i, p = probabilities[id]!;
    if (p === 0) continue;
    sum += p;
    last = id; // if rounding leaves the sum below the goal, the last token of positive probability is drawn
    if (sum > goal) break;
  }
  return { id: last, logprob: Math.log(probabilities[last]! / mass) };
}

/** Returns the ids that top-k and top-p keep, in ascending order. Top-p keeps at least one token. */
function kept(probabilities: Float32Array, topK: number, topP: number): Int32Array {
  const order = Int32Array.from(probabilities, (_, i) => i)
    .sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
  let count = topK > 0 ? Math.min(topK, order.length) : order.length;
  if (topP < 1) {
    let total = 0, sum = 0;
    for (let i = 0; i < count; i++) total += probabilities[order[i]!]!;
    for (let i = 0; i < count; i++) {
      sum += probabilities[order[i]!]!;
      if (sum >= topP * total) {
        count = i + 1;
        break;
      }
    }
  }
  return order.subarray(0, count).sort();
}
