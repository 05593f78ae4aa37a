/**
 * Demonstrations of both sources in one form: users' rows, which are encoded, and a model's responses, which already are ids.
 * Bad rows are reported together.
 * @module
 */
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import { refuseProblems, type RowProblem } from "@/lib/data/demonstrations/problems.ts";
import type { UserRow } from "@/lib/data/demonstrations/user_rows.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import { type ContentEncoding, encodeContents, textOf } from "./encode_contents.ts";
import { endOnce } from "./encode_rows.ts";
import type { Params } from "./params.ts";

/** Rows and the name of their file in messages. */
export interface Source<Row> {
  readonly file: string;
  readonly rows: readonly Row[];
}

/** A demonstration in ids, before truncation. */
export interface Sample {
  readonly id: string;
  /** input port and line, or input port and rollout */
  readonly source: string;
  readonly line?: number;
  /** its place, for messages */
  readonly at: string;
  /** text of the prompt, for splits and duplicates */
  readonly prompt: string;
  readonly response: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly promptIds: readonly number[];
  /** all ids from the first supervised one on */
  readonly responseIds: readonly number[];
  /** 1 = supervised; undefined: all of `responseIds` are */
  readonly responseMask?: Uint8Array | undefined;
  /** whether the response was encoded separately, since it shares a token with its prompt */
  readonly isSplit: boolean;
}

/** Samples, and rows without one. */
export interface Samples {
  readonly samples: readonly Sample[];
  /** rows that are certainly too long, so that they were not encoded */
  readonly farTooLong: readonly UserRow[];
  /** rows in which all responses are empty */
  readonly unsupervised: readonly UserRow[];
}

/**
 * Returns users' demonstrations in ids. Rows far beyond `maxLength` are not encoded if they would be refused or dropped, so
 * that a line of megabytes takes no time.
 * @throws {DataError} that lists the rows whose response shares a token with the prompt (unless split), or has an end token
 *   inside
 */
export async function samplesOfDemonstrations(
  tokenizer: Tokenizer,
  { file, rows }: Source<UserRow>,
  settings: Pick<Params, "truncation"> & ContentEncoding & { readonly maxLength: number },
): Promise<Samples> {
  const { truncation, maxLength } = settings;
  const mayGuess = truncation === "error" || truncation === "drop";
  const problems: RowProblem[] = [];
  const samples: Sample[] = [];
  const isFarTooLong = ({ content }: UserRow): boolean =>
    mayGuess && tokenizer.leastTokens(textOf(content)) > maxLength;
  const farTooLong = rows.filter(isFarTooLong);
  const counted = rows.filter((row) => !isFarTooLong(row));
  const all = await encodeContents(tokenizer, counted.map(({ content }) => content), settings);
  const unsupervised: UserRow[] = [];
  for (const [k, row] of counted.entries()) {
    const encoded = all[k]!;
    if ("problem" in encoded) problems.push({ at: row.at, line: row.line, what: encoded.problem });
    else if (encoded.responseMask !== undefined && !encoded.responseMask.includes(1)) {
      unsupervised.push(row);
    } else {
      const { id, line, at, place, meta } = row;
      samples.push({ id, line, at, meta, ...encoded, source: `demonstrations:${place}` });
    }
  }
  const requirement =
    "a response must begin with its own token (or use --boundary split) and have no end token except at its end";
  refuseProblems(file, requirement, problems);
  return { samples, farTooLong, unsupervised };
}

/**
 * Returns a model's responses as demonstrations, with their own ids.
 * @param source responses that ended
 * @throws {DataError} that lists the rows with an end token inside the response
 */
export function samplesOfRollouts(tokenizer: Tokenizer, { file, rows }: Source<RolloutRow>): Sample[] {
  const problems: RowProblem[] = [];
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
  refuseProblems(file, "a response must have no end token except at its end", problems);
  return samples;
}
