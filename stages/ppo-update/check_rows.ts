/** What the stage refuses before it learns: rows and demonstrations that the policy cannot read. @module */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import type { Model } from "@/lib/models/model.ts";
import { responseSequence } from "@/lib/reward/reward_model.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { checkFits } from "@/lib/train/fit_model.ts";
import type { Demonstrations } from "./demonstrations.ts";

/** The rows that a round learns from, with their files. */
export interface Given {
  readonly scored: { readonly file: string; readonly rows: readonly ScoredRow[] };
  readonly tokens: { readonly file: string | undefined; readonly demonstrations: Demonstrations | undefined };
}

/** @throws {DataError} naming rows that the policy cannot read or that hold no token to learn from */
export function checkRows({ scored: { file, rows }, tokens }: Given, model: Model): void {
  const sequences = rows.map((row) => ({ id: row.id, ids: responseSequence(row).ids }));
  checkFits(sequences, model, { file, column: "response_ids" });
  const empty = rows.filter(({ responseIds }) => responseIds.length === 0).map(({ id }) => `"${id}"`);
  if (empty.length > 0) {
    const more = empty.length > 5 ? ` and ${empty.length - 5} more` : "";
    throw new DataError(
      `Cannot learn from ${file} as a response must have a token: ${
        empty.slice(0, 5).join(", ")
      }${more} have none`,
      { file, column: "response_ids" },
    );
  }
  if (tokens.file === undefined || !tokens.demonstrations) return;
  const demonstrations = tokens.demonstrations.rows.map(({ id, inputIds }) => ({ id, ids: inputIds }));
  checkFits(demonstrations, model, { file: tokens.file, column: "input_ids" });
}
