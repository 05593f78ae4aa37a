/** Truncates or drops rows that are too long. @module */

/** The rule for rows that are too long; see the parameter `truncation`. */
export type Truncation = "error" | "drop" | "left" | "right";

/** A row in ids; the first `prefix` ids of the prompt (BOS) are never removed. */
export interface IdsRow {
  readonly promptIds: readonly number[];
  readonly responseIds: readonly number[];
  readonly prefix: number;
}

/** Ids that fit, or what happens to the row instead. */
export type Fitted =
  | {
    readonly isTruncated: boolean;
    readonly promptIds: readonly number[];
    readonly responseIds: readonly number[];
  }
  | "dropped"
  | "too_long";

/**
 * Fits a demonstration into `limit` tokens. `left` truncates the prompt and keeps at least one token of it after the prefix;
 * `right` truncates the response and keeps at least one token of it. If that is not enough, the row is dropped.
 */
export function fitDemonstration(row: IdsRow, limit: number, truncation: Truncation): Fitted {
  const { promptIds, responseIds, prefix } = row;
  if (promptIds.length + responseIds.length <= limit) return { isTruncated: false, promptIds, responseIds };
  if (truncation === "error") return "too_long";
  const kept = limit - responseIds.length - prefix, room = limit - promptIds.length;
  if (truncation === "left" && kept >= 1) {
    const ids = [...promptIds.slice(0, prefix), ...promptIds.slice(promptIds.length - kept)];
    return { isTruncated: true, promptIds: ids, responseIds };
  }
  if (truncation === "right" && room >= 1) {
    return { isTruncated: true, promptIds, responseIds: responseIds.slice(0, room) };
  }
  return "dropped";
}

/** Fits a prompt into `limit` tokens. With `right` it is dropped, since the response follows the end of the prompt. */
export function fitPrompt(row: Omit<IdsRow, "responseIds">, limit: number, truncation: Truncation): Fitted {
  return fitDemonstration({ ...row, responseIds: [] }, limit, truncation === "right" ? "drop" : truncation);
}
