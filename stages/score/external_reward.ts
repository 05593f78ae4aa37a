/**
 * A reward from outside, beside the models': a length rule, a test that runs, a judge. In: scored rows and somebody to ask, a
 * module (`module_reward.ts`) or an endpoint (`endpoint_reward.ts`). Out: rows whose last token earns it too.
 * @module
 */
import type { RewardManifest } from "@/lib/contracts/reward_directory.ts";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { jsonObjectIn } from "@/lib/files/strict_json.ts";
import { responseReward } from "@/lib/rl/srppo_reward.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** What whoever is asked is told of an answer. */
export interface ExternalRow {
  readonly id: string;
  readonly promptId: string;
  /** decoded, with special tokens, as the model saw it */
  readonly prompt: string;
  /** decoded, without special tokens */
  readonly response: string;
  /** fields of the prompt's row beside its id and text */
  readonly meta: Readonly<Record<string, unknown>>;
  /** whether the model ended the response by itself (EOS, or a stop text), not by the length limit */
  readonly ended: boolean;
  /** what the models pay, nats, before length normalisation */
  readonly reward: number;
}

/** Gives a finite number for every row, in their order. It is asked for a whole round at once, so that it may compare answers. */
export type ExternalReward = (rows: readonly ExternalRow[]) => Promise<readonly number[]>;

/** How answers are shown, and how much what is said of them counts. */
export interface ExternalOptions {
  readonly reward: ExternalReward;
  /** nats per unit of what it gives */
  readonly weight: number;
  readonly rule: Pick<RewardManifest, "lengthNorm" | "lengthTarget">;
  readonly text: (ids: Int32Array, options: { readonly skipSpecial: boolean }) => string;
}

/**
 * Rows whose last token earns `weight` times what `reward` gives, beside what the models pay it. So `token_rewards`,
 * `raw_reward` and `reward` go on saying the same, and a critic's prefix of earned rewards does not know of it before the end.
 * A response without a token stays as it is.
 * @throws {DataError} if a row's meta is no JSON object; what `reward` throws
 */
export async function addExternalReward(
  rows: readonly ScoredRow[],
  { reward, weight, rule, text }: ExternalOptions,
): Promise<ScoredRow[]> {
  const values = await reward(rows.map((row): ExternalRow => ({
    id: row.id,
    promptId: row.promptId,
    prompt: text(row.promptIds, { skipSpecial: false }),
    response: text(row.responseIds, { skipSpecial: true }),
    meta: metaOf(row),
    ended: row.finishReason !== "length",
    reward: row.rawReward,
  })));
  return rows.map((row, i) => {
    const { length } = row.responseIds;
    if (length === 0) return row;
    const tokenRewards = Float64Array.from(row.tokenRewards);
    tokenRewards[length - 1]! += weight * values[i]!;
    return {
      ...row,
      tokenRewards: Float32Array.from(tokenRewards),
      rawReward: responseReward(tokenRewards),
      reward: responseReward(tokenRewards, rule.lengthNorm, rule.lengthTarget),
    };
  });
}

/** Rows that a message names; the rest is counted. */
const SHOWN = 10;

/**
 * `given` as what it must be: a finite number for every row.
 * @param name of who gave it, for messages
 * @throws {DataError} if there are too few or too many, or one is not finite; names the rows
 */
export function checkedValues(
  given: unknown,
  rows: readonly Pick<ExternalRow, "id">[],
  name: string,
): readonly number[] {
  if (!Array.isArray(given) || given.length !== rows.length) {
    const what = Array.isArray(given)
      ? `there are ${given.length}`
      : `it is ${JSON.stringify(given) ?? "undefined"}`;
    throw new DataError(
      `Cannot use what external reward ${name} gives as it must be a list of ${rows.length} numbers: ${what}`,
      { file: name },
    );
  }
  const bad = rows.flatMap(({ id }, i) =>
    Number.isFinite(given[i]) ? [] : [`"${id}" gets ${String(given[i])}`]
  );
  if (bad.length === 0) return given;
  const more = bad.length > SHOWN ? `; and ${bad.length - SHOWN} more` : "";
  throw new DataError(
    `Cannot use what external reward ${name} gives as numbers must be finite: ${
      bad.slice(0, SHOWN).join("; ")
    }${more}`,
    { file: name },
  );
}

function metaOf({ promptId, meta }: ScoredRow): Readonly<Record<string, unknown>> {
  const value = jsonObjectIn(meta);
  if (value) return value;
  throw new DataError(
    `Cannot show an answer to prompt "${promptId}" to an external reward as its meta must be a JSON object: it is ${
      JSON.stringify(meta.slice(0, 80))
    }`,
    { column: "meta" },
  );
}
