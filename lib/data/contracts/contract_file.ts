/**
 * The file format of all contracts between stages: an Arrow IPC file whose schema metadata has one key `srppo`, JSON with the
 * contract's name and version and, for token ids, the digest of their tokenizer. The metadata has nothing else, so that equal rows
 * give equal bytes.
 * @module
 */
import type { TableSchema } from "@/lib/data/arrow/column_schema.ts";
import {
  type ArrowTable,
  decodeArrow,
  decodeArrowMetadata,
  presentColumns,
} from "@/lib/data/arrow/decode_arrow.ts";
import { encodeArrow } from "@/lib/data/arrow/encode_arrow.ts";
import { canonicalJson } from "@/lib/data/files/canonical_json.ts";
import { publishFile } from "@/lib/data/files/publish.ts";
import { readWholeFile, writeWholeFile } from "@/lib/data/files/whole_file.ts";
import { ColumnError, DataError } from "@/lib/compute/tensor/errors.ts";
import { camelCase, columnsOf, type RowOf, rowsOf, type SchemaOf } from "./named_rows.ts";
import { RowProblems } from "./row_problems.ts";
import type { Contract } from "./stage.ts";

/** Contracts that are Arrow files. */
type ArrowContract = Extract<Contract, `${string}@${number}`>;

/** Metadata of a contract's file. */
interface ContractHeader {
  readonly contract: string;
  /** digest of the tokenizer of token ids; absent without any */
  readonly tokenizerDigest?: string;
}

/** Rows with token ids, and the digest of their tokenizer (see `tokenizerDigest()`). */
export interface TokenTable<Row> {
  readonly rows: readonly Row[];
  readonly tokenizerDigest: string;
}

/** Format of the rows of one contract on disk. In memory a row has the columns as fields (`named_rows.ts`). */
export interface RowFormat<
  Row extends RowOf<S> & Partial<RowOf<O>>,
  S extends TableSchema,
  O extends TableSchema = Readonly<Record<never, never>>,
> {
  readonly contract: ArrowContract;
  readonly schema: SchemaOf<Row, S, O>;
  /** columns that a file may lack: it then lacks them in all rows. They follow those of `schema` */
  readonly optional?: O;
  /** adds problems that column types do not exclude: unequal lengths, values out of range, numbers that are not finite */
  readonly check: (row: Row, problems: RowProblems) => void;
  /** true: a file without rows is valid, as for metrics of a stage */
  readonly mayBeEmpty?: boolean;
}

/** The metadata key. */
const KEY = "srppo";

/**
 * Returns contract and tokenizer of a file, without its rows: for an input that may have one of several contracts.
 * @throws {DataError} if the file cannot be read or has no contract
 */
export function readContractHeader(path: string): ContractHeader {
  return parseHeader(path, decodeArrowMetadata(readWholeFile(path), path));
}

/**
 * Reads and checks a file of one contract.
 * @param accept further contracts, which have all columns of this one
 * @throws {DataError} if the file cannot be read, has another contract, no row, or no tokenizer's digest where it needs one
 * @throws {ColumnError} if a column is missing or of another type, or listing the invalid rows
 */
export function readContract<
  Row extends RowOf<S> & Partial<RowOf<O>>,
  S extends TableSchema,
  O extends TableSchema = Readonly<Record<never, never>>,
>(
  path: string,
  format: RowFormat<Row, S, O>,
  accept: readonly ArrowContract[] = [],
): { rows: Row[]; header: ContractHeader } {
  const bytes = readWholeFile(path);
  const header = parseHeader(path, decodeArrowMetadata(bytes, path));
  const contracts = [format.contract, ...accept];
  if (!contracts.some((contract) => contract === header.contract)) {
    throw new DataError(`${path} must be ${contracts.join(" or ")}, got ${header.contract}`, { file: path });
  }
  const schema: TableSchema = { ...format.schema, ...presentColumns(bytes, format.optional ?? {}, path) };
  const table: ArrowTable<TableSchema> = decodeArrow(bytes, schema, path);
  if (table.rows === 0 && !format.mayBeEmpty) {
    throw new DataError(`${path} (${format.contract}) must have rows, got none`, { file: path });
  }
  // Narrower types than the schema's: `checkRows` checks fields with a few values.
  const rows = rowsOf(schema, table.columns, table.rows) as unknown as Row[];
  checkRows(path, rows, format);
  return { rows, header };
}

/** Reads and checks a file as `readContract()`, for contracts with token ids. */
export function readTokenContract<
  Row extends RowOf<S> & Partial<RowOf<O>>,
  S extends TableSchema,
  O extends TableSchema = Readonly<Record<never, never>>,
>(
  path: string,
  format: RowFormat<Row, S, O>,
  accept: readonly ArrowContract[] = [],
): { rows: Row[]; tokenizerDigest: string } {
  const { rows, header } = readContract(path, format, accept);
  if (header.tokenizerDigest === undefined) {
    throw new DataError(`${path} must have the digest of its tokenizer in its metadata, got none`, {
      file: path,
    });
  }
  return { rows, tokenizerDigest: header.tokenizerDigest };
}

/**
 * Checks rows and publishes them as a file, whole or not at all. An optional column is written if rows have it; then all must.
 * @param tokenizerDigest for contracts with token ids
 * @throws {ColumnError} listing the rows that violate the contract
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the path cannot be written
 */
export async function writeContract<
  Row extends RowOf<S> & Partial<RowOf<O>>,
  S extends TableSchema,
  O extends TableSchema = Readonly<Record<never, never>>,
>(
  path: string,
  format: RowFormat<Row, S, O>,
  rows: readonly Row[],
  tokenizerDigest?: string,
): Promise<void> {
  checkRows(path, rows, format);
  const header = canonicalJson({ contract: format.contract, tokenizer: tokenizerDigest });
  const has = (field: string) =>
    rows.some((row) => (row as Readonly<Record<string, unknown>>)[field] !== undefined);
  const given = Object.entries(format.optional ?? {}).filter(([name]) => has(camelCase(name)));
  const schema: TableSchema = { ...format.schema, ...Object.fromEntries(given) };
  const columns = columnsOf(schema, rows as unknown as readonly RowOf<TableSchema>[]);
  const bytes = encodeArrow(schema, columns, new Map([[KEY, header]]));
  await publishFile(path, (temporary) => writeWholeFile(temporary, [bytes]));
}

function checkRows<
  Row extends RowOf<S> & Partial<RowOf<O>>,
  S extends TableSchema,
  O extends TableSchema,
>(
  path: string,
  rows: readonly Row[],
  format: RowFormat<Row, S, O>,
): void {
  const problems = new RowProblems();
  for (const [index, row] of rows.entries()) {
    problems.row = index;
    format.check(row, problems);
  }
  const problem = problems.summary();
  if (problem === undefined) return;
  throw new ColumnError(`${path} (${format.contract}): ${problem.message}`, { file: path, ...problem.where });
}

function parseHeader(path: string, metadata: ReadonlyMap<string, string>): ContractHeader {
  let header: { contract?: unknown; tokenizer?: unknown } | null = null;
  try {
    header = JSON.parse(metadata.get(KEY) ?? "null");
  } catch {
    // Not JSON: no metadata of ours, as below.
  }
  if (typeof header?.contract !== "string") {
    throw new DataError(`${path} must have a metadata key "${KEY}" with its contract, got none`, {
      file: path,
    });
  }
  return {
    contract: header.contract,
    ...(typeof header.tokenizer === "string" ? { tokenizerDigest: header.tokenizer } : {}),
  };
}
