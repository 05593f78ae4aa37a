/** What the critic's network says of a round's states, before what was earned is added. @module */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { responseSequence } from "@/lib/reward/reward_model.ts";
import { checkFinite } from "@/lib/rl/rows.ts";
import type { Sequence } from "@/lib/train/batching.ts";
import type { Network } from "@/lib/train/network.ts";
import { tokenValues } from "@/lib/train/token_logprobs.ts";
import type { Params } from "./params.ts";
import { goesOn } from "./pay.ts";

/** The critic's outputs, by response. */
export interface CriticHeads {
  /** of the states that predict the tokens, [R] each */
  readonly tokens: readonly ArrayLike<number>[];
  /** of the state behind the last token; undefined where nothing comes behind it */
  readonly behind: readonly (number | undefined)[];
}

/** Without a critic. */
export const NO_HEADS: CriticHeads = { tokens: [], behind: [] };

/**
 * Reads all states of a round in one pass; those behind a cut are one position more of their row.
 * @throws {DataError} naming the rows of which a value is not finite
 */
export function criticHeads(network: Network, rows: readonly ScoredRow[], params: Params): CriticHeads {
  const open = rows.map((row) => goesOn(row, params));
  const states = tokenValues(
    network,
    rows.map((row, i) => open[i] ? withStateBehind(row) : responseSequence(row)),
  );
  checkFinite({ values: states });
  return {
    tokens: states.map((values, i) => open[i] ? values.subarray(0, -1) : values),
    behind: states.map((values, i) => open[i] ? values.at(-1)! : undefined),
  };
}

/**
 * The row as if one more token followed, whose state is asked for too. Its id is not fed, so any will do, and a row that fills the
 * model's context still fits.
 */
function withStateBehind({ promptIds, responseIds }: ScoredRow): Sequence {
  return responseSequence({ promptIds, responseIds: Int32Array.from([...responseIds, 0]) });
}
