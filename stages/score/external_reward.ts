/**
 * A reward that a user's module gives, beside the models': a length rule, a test that runs, a judge in plain code. In: scored rows
 * and a module. Out: rows whose last token earns it too.
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { RewardManifest } from "@/lib/contracts/reward_directory.ts";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { jsonObjectIn } from "@/lib/files/strict_json.ts";
import { responseReward } from "@/lib/rl/srppo_reward.ts";
import { DataError, UsageError } from "@/lib/tensor/errors.ts";

/** What a module is told of an answer. */
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

/** A module's function: a finite number for every row, in their order. It sees a whole round, so that it may compare answers. */
export type ExternalReward = (rows: readonly ExternalRow[]) => readonly number[] | Promise<readonly number[]>;

/**
 * The function `reward` that a JavaScript or TypeScript module exports.
 * @throws {UsageError} if the module does not load or exports no such function
 */
export async function loadExternalReward(path: string): Promise<ExternalReward> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = await import(pathToFileURL(resolve(path)).href);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    const error = new UsageError(
      `Cannot use external reward ${path} as it must be a module that loads: ${what}`,
    );
    error.cause = cause;
    throw error;
  }
  const { reward } = module;
  if (typeof reward === "function") return reward as ExternalReward;
  const exported = Object.keys(module).join(", ") || "nothing";
  throw new UsageError(
    `Cannot use external reward ${path} as it must export a function "reward": it exports ${exported}`,
  );
}

/** How answers are shown to a module, and how much what it says counts. */
export interface ExternalOptions {
  /** for messages */
  readonly path: string;
  readonly reward: ExternalReward;
  /** nats per unit of what the module gives */
  readonly weight: number;
  readonly rule: Pick<RewardManifest, "lengthNorm" | "lengthTarget">;
  readonly text: (ids: Int32Array, options: { readonly skipSpecial: boolean }) => string;
}

/**
 * Rows whose last token earns `weight` times what the module gives, beside what the models pay it. So `token_rewards`,
 * `raw_reward` and `reward` go on saying the same, and a critic's prefix of earned rewards does not know of it before the end.
 * A response without a token stays as it is.
 * @throws {DataError} if the module throws, gives too few or too many numbers, or one that is not finite; names the rows
 */
export async function addExternalReward(
  rows: readonly ScoredRow[],
  { path, reward, weight, rule, text }: ExternalOptions,
): Promise<ScoredRow[]> {
  const shown = rows.map((row): ExternalRow => ({
    id: row.id,
    promptId: row.promptId,
    prompt: text(row.promptIds, { skipSpecial: false }),
    response: text(row.responseIds, { skipSpecial: true }),
    meta: metaOf(row),
    ended: row.finishReason !== "length",
    reward: row.rawReward,
  }));
  let given: unknown;
  try {
    given = await reward(shown);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(`Cannot use external reward ${path} as it must not throw: ${what}`, { file: path }, {
      cause,
    });
  }
  const values = checkedValues(given, rows, path);
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

function checkedValues(given: unknown, rows: readonly ScoredRow[], path: string): readonly number[] {
  if (!Array.isArray(given) || given.length !== rows.length) {
    const what = Array.isArray(given)
      ? `there are ${given.length}`
      : `it is ${JSON.stringify(given) ?? "undefined"}`;
    throw new DataError(
      `Cannot use what external reward ${path} gives as it must be a list of ${rows.length} numbers: ${what}`,
      { file: path },
    );
  }
  const bad = rows.flatMap(({ id }, i) =>
    Number.isFinite(given[i]) ? [] : [`"${id}" gets ${String(given[i])}`]
  );
  if (bad.length === 0) return given;
  const more = bad.length > SHOWN ? `; and ${bad.length - SHOWN} more` : "";
  throw new DataError(
    `Cannot use what external reward ${path} gives as numbers must be finite: ${
      bad.slice(0, SHOWN).join("; ")
    }${more}`,
    { file: path },
  );
}

/** Rows that a message names; the rest is counted. */
const SHOWN = 10;

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
