/**
 * Draws a token from a row of probabilities. The random number is given from outside, so that it can depend on the
 * rollout and the position alone; sums run in index order in f64, so that equal rows give equal tokens.
 * @module
 */
import { UsageError } from "@/lib/tensor/errors.ts";

/** How tokens are chosen. */
export interface Sampling {
  /** divides the logits; 0 takes the most probable token */
  readonly temperature: number;
  /** only the k most probable tokens; 0 or undefined: all */
  readonly topK?: number;
  /** only the fewest most probable tokens whose probabilities reach p; 1 or undefined: all */
  readonly topP?: number;
}

/** A token and its log-probability in nats under the distribution that it was drawn from. */
export interface Draw {
  readonly id: number;
  readonly logprob: number;
}

/** @throws {UsageError} listing what is out of range */
export function checkSampling({ temperature, topK = 0, topP = 1 }: Sampling): void {
  const problems = [
    ...(temperature >= 0 && Number.isFinite(temperature)
      ? []
      : [`temperature is ${temperature}, not at least 0`]),
    ...(Number.isInteger(topK) && topK >= 0 ? [] : [`top_k is ${topK}, not a whole number of at least 0`]),
    ...(topP > 0 && topP <= 1 ? [] : [`top_p is ${topP}, not in (0, 1]`]),
  ];
  if (problems.length > 0) {
    throw new UsageError(`Cannot sample as its settings must be in range: ${problems.join("; ")}`);
  }
}

/** The most probable token; of equals the first. Its log-probability is that of the row. */
export function mostProbable(probabilities: Float32Array): Draw {
  let id = 0;
  for (let i = 1; i < probabilities.length; i++) if (probabilities[i]! > probabilities[id]!) id = i;
  return { id, logprob: Math.log(probabilities[id]!) };
}

/**
 * The token at which the running sum of probabilities passes u (inverse transform sampling).
 * @param u in [0, 1)
 */
export function draw(probabilities: Float32Array, u: number, { topK = 0, topP = 1 }: Sampling): Draw {
  const restricted = (topK > 0 && topK < probabilities.length) || topP < 1;
  return restricted
    ? drawFrom(probabilities, kept(probabilities, topK, topP), u)
    : drawFrom(probabilities, null, u);
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
    last = id; // rounding may leave the sum below the goal: then the last token of positive probability is drawn
    if (sum > goal) break;
  }
  return { id: last, logprob: Math.log(probabilities[last]! / mass) };
}

/** Ids that top-k and top-p keep, in ascending order. Top-p keeps at least one token. */
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
