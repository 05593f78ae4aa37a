/**
 * Demonstrations from both sources in one form: a user's rows, encoded, and a model's answers, which are ids already.
 * In: rows. Out: samples in ids; bad rows are refused together.
 * @module
 */
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import { type Problem, refuseProblems } from "@/lib/demonstrations/problems.ts";
import type { UserRow } from "@/lib/demonstrations/user_rows.ts";
import type { Tokenizer } from "@/lib/text/tokenizer.ts";
import { type ContentEncoding, encodeContents, textOf } from "./encode_contents.ts";
import { endOnce } from "./encode_rows.ts";
import type { Params } from "./params.ts";

/** A demonstration in ids, whole. */
export interface Sample {
  readonly id: string;
  /** input port and line, or input port and rollout */
  readonly source: string;
  readonly line?: number;
  /** where it stands, for messages */
  readonly at: string;
  /** text of the prompt: what splits and duplicates go by */
  readonly prompt: string;
  readonly response: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly promptIds: readonly number[];
  /** all ids from the first learned one on */
  readonly responseIds: readonly number[];
  /** 1 = learned; undefined: all of `responseIds` are */
  readonly responseMask?: Uint8Array | undefined;
  /** the response was encoded by itself as it shares a token with its prompt */
  readonly isSplit: boolean;
}

/** Samples, and the rows that are so long that nobody needed to count. */
export interface Samples {
  readonly samples: readonly Sample[];
  readonly farTooLong: readonly UserRow[];
  /** rows in which nothing is left to learn: every answer is empty */
  readonly unsupervised: readonly UserRow[];
}

/**
 * A user's demonstrations in ids. Rows that are far beyond `maxLength` are not encoded where the rule for long rows is
 * to refuse or drop them: a line of megabytes costs no time.
 * @throws {DataError} that lists the rows whose response shares a token with the prompt (unless split), or holds an end
 *   token inside.
 */
export async function samplesOfDemonstrations(
  tokenizer: Tokenizer,
  file: string,
  rows: readonly UserRow[],
  settings: Pick<Params, "truncation"> & ContentEncoding & { readonly maxLength: number },
): Promise<Samples> {
  const { truncation, maxLength } = settings;
  const mayGuess = truncation === "error" || truncation === "drop";
  const problems: Problem[] = [];
  const samples: Sample[] = [];
  const isFarTooLong = ({ content }: UserRow): boolean =>
    mayGuess && tokenizer.leastTokens(textOf(content)) > maxLength;
  const farTooLong = rows.filter(isFarTooLong);
  const counted = rows.filter((row) => !isFarTooLong(row));
  const all = await encodeContents(tokenizer, counted.map(({ content }) => content), settings);
  const unsupervised: UserRow[] = [];
  for (const [k, row] of counted.entries()) {
    const encoded = all[k]!;
    if ("problem" in encoded) {
      problems.push({ at: row.at, line: row.line, what: encoded.problem });
    } else if (encoded.responseMask !== undefined && !encoded.responseMask.includes(1)) {
      unsupervised.push(row);
    } else {
      const { id, line, at, place, meta } = row;
      samples.push({ id, line, at, meta, ...encoded, source: `demonstrations:${place}` });
    }
  }
  const requirement =
    "a response must begin with a token of its own (or --boundary split) and hold an end token at most at its end";
  refuseProblems(file, requirement, problems);
  return { samples, farTooLong, unsupervised };
}

/**
 * A model's answers as demonstrations; their ids are taken as they are.
 * @param rows answers that ended
 * @throws {DataError} that lists the rows with an end token inside the response
 */
export function samplesOfRollouts(tokenizer: Tokenizer, file: string, rows: readonly RolloutRow[]): Sample[] {
  const problems: Problem[] = [];
  const samples: Sample[] = [];
  for (const row of rows) {
    const ended = endOnce(tokenizer, [...row.responseIds]);
    if ("problem" in ended) {
      problems.push({ at: `rollout ${row.id}`, what: ended.problem });
      continue;
    }
    samples.push({
      id: row.id,
      source: `rollouts:${row.id}`,
      at: `rollouts:${row.id}`,
      prompt: tokenizer.decode(row.promptIds, { skipSpecial: true }),
      response: tokenizer.decode(row.responseIds, { skipSpecial: true }),
      meta: JSON.parse(row.meta),
      promptIds: [...row.promptIds],
      responseIds: ended.ids,
      isSplit: false,
    });
  }
  refuseProblems(file, "a response must hold an end token at its end alone", problems);
  return samples;
}
