/** Reads and checks what an iteration starts from: scored rollouts and demonstrations. @module */
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { checkSameTokenizer } from "@/lib/data/contracts/same_tokenizer.ts";
import { readScored, type ScoredRow } from "@/lib/data/contracts/scored.ts";
import type { Model } from "@/lib/model/models/model.ts";
import { responseSequence } from "@/lib/model/reward/reward_model.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { checkFits } from "@/lib/model/train/fit_model.ts";
import { type Demonstrations, readDemonstrationTokens } from "./demonstrations.ts";
import { type Params, rewardPerTokenReader } from "./params.ts";

/** Paths of what is read here, and of the models whose tokenizers must be the same. */
export interface DataPaths {
  readonly scored: string;
  readonly policy: string;
  readonly critic?: string | undefined;
  readonly tokens?: string | undefined;
}

/** The data of an iteration. */
export interface IterationData {
  readonly rows: readonly ScoredRow[];
  /** absent where demo_mix is 0 */
  readonly demonstrations: Demonstrations | undefined;
}

/**
 * Reads the scored rollouts, and the demonstrations where they are mixed in.
 * @throws {DataError} if a file breaks its contract, a response is empty, or tokenizers differ
 */
export function readIterationData(paths: DataPaths, params: Params): IterationData {
  const { demo_mix } = params, { scored, policy, critic, tokens } = paths;
  const { rows, tokenizerDigest: digest } = readScored(scored);
  const demonstrations = tokens === undefined || demo_mix === 0 ? undefined : readDemonstrationTokens(tokens);
  checkSameTokenizer({
    scored: digest,
    policy: tokenizerDigest(policy),
    ...(critic === undefined ? {} : { critic: tokenizerDigest(critic) }),
    ...(demonstrations ? { tokens: demonstrations.tokenizerDigest } : {}),
  });
  const empty = rows.filter(({ responseIds }) => responseIds.length === 0).map(({ id }) => `"${id}"`);
  if (empty.length > 0) {
    throw new DataError(
      `${scored}: a response must have at least one token, got none in ${listed(empty, { separator: ", " })}`,
      { file: scored, column: "response_ids" },
    );
  }
  checkColumns(rows, scored, params);
  return { rows, demonstrations };
}

/**
 * Checks that the optional columns which the parameters require are there.
 * @throws {DataError} naming the columns and how to get them
 */
function checkColumns(rows: readonly ScoredRow[], file: string, params: Params): void {
  const { temperature } = params, found = new Set(rows.map((row) => row.temperature ?? 1));
  const other = [...found].filter((value) => value !== temperature);
  if (other.length > 0) {
    throw new DataError(
      `${file}: temperature of score must be that of ppo-update, ${temperature}, got ${
        listed(other.map(String))
      }`,
      { file, column: "temperature" },
    );
  }
  const reader = rewardPerTokenReader(params);
  const without = rows.filter((row) => row.reward !== row.rawReward && row.normalisedRewards === undefined);
  if (reader === undefined || without.length === 0) return;
  throw new DataError(
    `${file}: ${reader} requires the column normalised_rewards for length-normalised rewards (run score again), got none for ` +
      listed(without.map(({ id }) => `"${id}"`)),
    { file, column: "normalised_rewards" },
  );
}

/**
 * Checks that every row fits the policy's context and vocabulary.
 * @throws {DataError} naming the rows that do not
 */
export function checkDataFits({ rows, demonstrations }: IterationData, paths: DataPaths, model: Model): void {
  const responses = rows.map((row) => ({ id: row.id, ids: responseSequence(row).ids }));
  checkFits(responses, model, { file: paths.scored, column: "response_ids" });
  const demonstrated = demonstrations?.rows.map(({ id, inputIds }) => ({ id, ids: inputIds })) ?? [];
  checkFits(demonstrated, model, { file: paths.tokens ?? "", column: "input_ids" });
}
