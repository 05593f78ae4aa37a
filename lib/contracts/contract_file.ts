/**
 * What all contracts between stages share: an Arrow IPC file whose schema metadata has one key `srppo`, JSON with the
 * contract's name and version and, where there are token ids, the digest of the tokenizer that they belong to. Nothing
 * else is in it, so that equal rows give equal bytes.
 * @module
 */
import type { TableSchema } from "@/lib/arrow/column_schema.ts";
import { type ArrowTable, decodeArrow, decodeArrowMetadata } from "@/lib/arrow/decode_arrow.ts";
import { encodeArrow } from "@/lib/arrow/encode_arrow.ts";
import { canonicalJson } from "@/lib/files/canonical_json.ts";
import { publishFile } from "@/lib/files/publish.ts";
import { readWholeFile, writeWholeFile } from "@/lib/files/whole_file.ts";
import { ColumnError, DataError } from "@/lib/tensor/errors.ts";
import { columnsOf, type RowOf, rowsOf, type SchemaOf } from "./named_rows.ts";
import { RowProblems } from "./row_problems.ts";
import type { Contract } from "./stage.ts";

/** Contracts that are Arrow files. */
export type ArrowContract = Extract<Contract, `${string}@${number}`>;

/** What the metadata of a contract's file says. */
export interface ContractHeader {
  readonly contract: string;
  /** digest of the tokenizer that token ids belong to; absent where there are none */
  readonly tokenizerDigest?: string;
}

/** Rows with token ids, and the tokenizer that gives the ids a meaning (see `tokenizerDigest()`). */
export interface TokenTable<Row> {
  readonly rows: readonly Row[];
  readonly tokenizerDigest: string;
}

/** How the rows of one contract look on disk. In memory a row has the columns as fields (`named_rows.ts`). */
export interface RowFormat<Row extends RowOf<S>, S extends TableSchema> {
  readonly contract: ArrowContract;
  readonly schema: SchemaOf<Row, S>;
  /** reports what the column types cannot say: lengths that must agree, ranges, finite numbers */
  readonly check: (row: Row, problems: RowProblems) => void;
  /** true: a file without rows is valid, as it is for what a stage reports about itself */
  readonly mayBeEmpty?: boolean;
}

/** The metadata key. */
const KEY = "srppo";

/**
 * Contract and tokenizer of a file, without its rows: for an input that takes one of several contracts.
 * @throws {DataError} if the file cannot be read or is none of this project's
 */
export function readContractHeader(path: string): ContractHeader {
  return parseHeader(path, decodeArrowMetadata(readWholeFile(path), path));
}

/**
 * Reads and checks a file of one contract.
 * @param accept contracts that hold all columns of this one besides it
 * @throws {DataError} if the file cannot be read, has another contract, no row, or no tokenizer's digest where it needs one
 * @throws {ColumnError} if a column is missing or of another type, or listing the rows that are wrong
 */
export function readContract<Row extends RowOf<S>, S extends TableSchema>(
  path: string,
  format: RowFormat<Row, S>,
  accept: readonly ArrowContract[] = [],
): { rows: Row[]; header: ContractHeader } {
  const bytes = readWholeFile(path);
  const header = parseHeader(path, decodeArrowMetadata(bytes, path));
  if (![format.contract, ...accept].some((contract) => contract === header.contract)) {
    throw new DataError(
      `Cannot read ${path} as it must be ${
        [format.contract, ...accept].join(" or ")
      }: it is ${header.contract}`,
      { file: path },
    );
  }
  const table: ArrowTable<S> = decodeArrow(bytes, format.schema, path);
  if (table.rows === 0 && !format.mayBeEmpty) {
    throw new DataError(`Cannot read ${path} as ${format.contract} must have rows: it has none`, {
      file: path,
    });
  }
  // Narrower than the schema says: `check` holds fields with a few values to them.
  const rows = rowsOf<S>(format.schema, table.columns, table.rows) as Row[];
  const problem = checkRows(rows, format);
  if (problem !== undefined) {
    throw new ColumnError(`Cannot read ${path} as ${format.contract} must hold: ${problem.message}`, {
      file: path,
      ...problem.where,
    });
  }
  return { rows, header };
}

/** Like `readContract()`, for contracts with token ids. */
export function readTokenContract<Row extends RowOf<S>, S extends TableSchema>(
  path: string,
  format: RowFormat<Row, S>,
  accept: readonly ArrowContract[] = [],
): { rows: Row[]; tokenizerDigest: string } {
  const { rows, header } = readContract(path, format, accept);
  if (header.tokenizerDigest === undefined) {
    throw new DataError(
      `Cannot read ${path} as its token ids must name their tokenizer: metadata has no digest`,
      {
        file: path,
      },
    );
  }
  return { rows, tokenizerDigest: header.tokenizerDigest };
}

/**
 * Checks rows and publishes them as a file, whole or not at all.
 * @param tokenizerDigest for contracts with token ids
 * @throws {ColumnError} listing the rows that break the contract
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the path cannot be written
 */
export async function writeContract<Row extends RowOf<S>, S extends TableSchema>(
  path: string,
  format: RowFormat<Row, S>,
  rows: readonly Row[],
  tokenizerDigest?: string,
): Promise<void> {
  const problem = checkRows(rows, format);
  if (problem !== undefined) {
    throw new ColumnError(`Cannot write ${path} as ${format.contract} must hold: ${problem.message}`, {
      file: path,
      ...problem.where,
    });
  }
  const header = canonicalJson({ contract: format.contract, tokenizer: tokenizerDigest });
  const bytes = encodeArrow<S>(format.schema, columnsOf<S>(format.schema, rows), new Map([[KEY, header]]));
  await publishFile(path, (temporary) => writeWholeFile(temporary, [bytes]));
}

function checkRows<Row extends RowOf<S>, S extends TableSchema>(
  rows: readonly Row[],
  format: RowFormat<Row, S>,
): ReturnType<RowProblems["summary"]> {
  const problems = new RowProblems();
  for (const [index, row] of rows.entries()) {
    problems.row = index;
    format.check(row, problems);
  }
  return problems.summary();
}

function parseHeader(path: string, metadata: ReadonlyMap<string, string>): ContractHeader {
  let header: { contract?: unknown; tokenizer?: unknown } | null = null;
  try {
    header = JSON.parse(metadata.get(KEY) ?? "null");
  } catch {
    // Not JSON: no metadata of ours, as below.
  }
  if (typeof header?.contract !== "string") {
    throw new DataError(
      `Cannot read ${path} as its metadata must say its contract: there is no valid key "${KEY}"`,
      { file: path },
    );
  }
  return {
    contract: header.contract,
    ...(typeof header.tokenizer === "string" ? { tokenizerDigest: header.tokenizer } : {}),
  };
}
