/**
 * What becomes of rows that are too long. In: ids and a limit. Out: ids that fit, or nothing.
 * @module
 */

/** The rule for rows that are too long; see the parameter `truncation`. */
export type Truncation = "error" | "drop" | "left" | "right";

/** A row in ids; `prefix` ids at the start of the prompt (BOS) are never cut. */
export interface IdsRow {
  readonly promptIds: readonly number[];
  readonly responseIds: readonly number[];
  readonly prefix: number;
}

/** Ids that fit, or why they do not. */
export type Fitted =
  | { readonly kind: "whole"; readonly promptIds: readonly number[]; readonly responseIds: readonly number[] }
  | { readonly kind: "cut"; readonly promptIds: readonly number[]; readonly responseIds: readonly number[] }
  | { readonly kind: "dropped" }
  | { readonly kind: "too_long" };

/**
 * Fits a demonstration into `limit` tokens. `left` cuts the prompt and keeps at least one token of it after the prefix;
 * `right` cuts the response and keeps at least one token of it. Where that is not enough, the row is dropped.
 */
export function fitDemonstration(row: IdsRow, limit: number, truncation: Truncation): Fitted {
  const { promptIds, responseIds, prefix } = row;
  if (promptIds.length + responseIds.length <= limit) return { kind: "whole", promptIds, responseIds };
  switch (truncation) {
    case "error":
      return { kind: "too_long" };
    case "drop":
      return { kind: "dropped" };
    case "left": {
      const cut = cutLeft(promptIds, prefix, limit - responseIds.length);
      return cut === undefined ? { kind: "dropped" } : { kind: "cut", promptIds: cut, responseIds };
    }
    case "right": {
      const room = limit - promptIds.length;
      return room < 1
        ? { kind: "dropped" }
        : { kind: "cut", promptIds, responseIds: responseIds.slice(0, room) };
    }
  }
}

/** Fits a prompt into `limit` tokens. A prompt's end is what is to be answered, so `right` drops it instead. */
export function fitPrompt(row: Omit<IdsRow, "responseIds">, limit: number, truncation: Truncation): Fitted {
  return fitDemonstration({ ...row, responseIds: [] }, limit, truncation === "right" ? "drop" : truncation);
}

function cutLeft(ids: readonly number[], prefix: number, room: number): readonly number[] | undefined {
  const kept = room - prefix;
  return kept < 1 ? undefined : [...ids.slice(0, prefix), ...ids.slice(ids.length - kept)];
}
