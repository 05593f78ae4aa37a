/**
 * Adds an external reward to the models' reward: a length rule, a test, a judge. In: scored rows and a reward function, from a
 * module (`module_reward.ts`) or an endpoint (`endpoint_reward.ts`). Out: rows with the external reward at the last token.
 * @module
 */
import type { RewardManifest } from "@/lib/data/contracts/reward_directory.ts";
import { parsedMeta } from "@/lib/data/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { InvalidValue } from "@/lib/model/evals/user_module.ts";
import { rewardColumns } from "@/lib/model/reward/scored_rows.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";

/** A response as an external reward function receives it: snake_case, as in all files. */
export interface ExternalRow {
  readonly id: string;
  readonly prompt_id: string;
  /** decoded, with special tokens, as the model's input */
  readonly prompt: string;
  /** decoded, without special tokens */
  readonly response: string;
  /** fields of the prompt's row other than id and text */
  readonly meta: Readonly<Record<string, unknown>>;
  /** whether the response ended with EOS or a stop string, not at the length limit */
  readonly ended: boolean;
  /** the models' reward, nats, before length normalisation */
  readonly reward: number;
}

/** Returns a finite number for every row, in their order. It receives all rows of an iteration, so that it may compare responses. */
export type ExternalReward = (rows: readonly ExternalRow[]) => Promise<readonly number[]>;

/** How an external reward is computed and added. */
export interface ExternalOptions {
  readonly reward: ExternalReward;
  /** nats per unit of the external reward */
  readonly weight: number;
  readonly rule: Pick<RewardManifest, "lengthNorm" | "lengthTarget">;
  readonly text: (ids: Int32Array, options: { readonly skipSpecial: boolean }) => string;
}

/**
 * Returns rows with `weight` times the external reward added at their last token. `token_rewards`, `raw_reward` and `reward`
 * include it, and a residual critic's prefix of rewards does not contain it before the end. A response without tokens is
 * unchanged.
 * @throws {DataError} if a row's meta is not a JSON object; what `reward` throws
 */
export async function addExternalReward(
  rows: readonly ScoredRow[],
  { reward, weight, rule, text }: ExternalOptions,
): Promise<ScoredRow[]> {
  const values = await reward(rows.map((row): ExternalRow => ({
    id: row.id,
    prompt_id: row.promptId,
    prompt: text(row.promptIds, { skipSpecial: false }),
    response: text(row.responseIds, { skipSpecial: true }),
    meta: parsedMeta(row),
    ended: row.finishReason !== "length",
    reward: row.rawReward,
  })));
  return rows.map((row, i) => {
    const { length } = row.responseIds;
    if (length === 0) return row;
    const tokenRewards = Float64Array.from(row.tokenRewards);
    tokenRewards[length - 1]! += weight * values[i]!;
    return { ...row, ...rewardColumns(tokenRewards, rule) };
  });
}

/**
 * Returns `values` as finite numbers, one per row.
 * @param name of the module or endpoint, for messages
 * @throws {DataError} if the number of values is wrong, or listing the rows whose value is not finite
 */
export function checkedValues(
  values: unknown,
  rows: readonly Pick<ExternalRow, "id">[],
  name: string,
): readonly number[] {
  const refuse = (found: string): never => {
    const rule = `must return ${rows.length} finite numbers, one per row`;
    throw new DataError(`external reward ${name} ${rule}, got ${found}`, { file: name });
  };
  if (!Array.isArray(values)) return refuse(shortJson(values));
  if (values.length !== rows.length) return refuse(`${values.length} values`);
  const bad = rows.flatMap(({ id }, i) => Number.isFinite(values[i]) ? [] : [[id, values[i]] as const]);
  if (bad.length === 0) return values;
  return refuse(listed(bad.map(([id, value]) => `${shortJson(value)} for "${id}"`)));
}

/** Returns a value from outside as JSON of at most 100 characters, texts without quotes. It may be too deep for JSON. */
function shortJson(value: unknown): string {
  // NaN and infinities are null in JSON.
  if (typeof value === "number" || value instanceof InvalidValue) return String(value);
  try {
    const json = JSON.stringify(value) ?? String(value);
    return (typeof value === "string" ? json.slice(1, -1) : json).slice(0, 100);
  } catch {
    return `a value of type ${typeof value}`;
  }
}
