/** The most probable tokens of a row of logits or log-probabilities. @module */

/** A token and its log-probability in nats. */
export interface ScoredToken {
  readonly id: number;
  readonly logprob: number;
}

/** Returns log Σ exp(x) of a row, in f64. */
export function logSumExp(row: Float32Array): number {
  let most = -Infinity, sum = 0;
  for (let i = 0; i < row.length; i++) if (row[i]! > most) most = row[i]!;
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i]! - most);
  return most + Math.log(sum);
}

/**
 * Returns the `count` tokens of largest value, largest first, of equals the first.
 * @param shift is subtracted from every value: `logSumExp(row)` for logits, 0 for log-probabilities
 */
export function topTokens(row: Float32Array, count: number, shift: number): ScoredToken[] {
  const most = Math.min(count, row.length), ids: number[] = [];
  for (let id = 0; id < row.length && most > 0; id++) {
    if (ids.length === most && row[id]! <= row[ids[most - 1]!]!) continue;
    let at = ids.length;
    while (at > 0 && row[ids[at - 1]!]! < row[id]!) at--;
    ids.splice(at, 0, id);
    if (ids.length > most) ids.pop();
  }
  return ids.map((id) => ({ id, logprob: row[id]! - shift }));
}
