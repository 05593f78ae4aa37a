/**
 * Parquet files (uncompressed, Snappy, Zstandard, gzip, Brotli), by npm `hyparquet`, the only importer of it.
 * In: a path. Out: one object a row.
 * @module
 */
import { type Compressors, parquetMetadata, parquetReadObjects } from "hyparquet";
import { Buffer } from "node:buffer";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { DataError } from "@/lib/tensor/errors.ts";
import type { JsonLine } from "./jsonl.ts";
import { readWholeFile } from "./whole_file.ts";

/** No page may unpack to more than this, whatever its header claims. */
const MOST_PAGE_BYTES = 1 << 30;

/** What hyparquet does not bring itself (it has Snappy). */
const COMPRESSORS: Compressors = {
  ZSTD: (input, length) => zstdDecompressSync(input, { maxOutputLength: checked(length) }),
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: checked(length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: checked(length) }),
};

function checked(length: number): number {
  if (length <= MOST_PAGE_BYTES) return Math.max(1, length);
  throw new RangeError(
    `Cannot unpack a page as it must have at most ${MOST_PAGE_BYTES} bytes: it claims ${length}`,
  );
}

/**
 * The rows of a Parquet file; `line` counts them from 1. Integers of 64 bits come as numbers, dates as texts of ISO 8601,
 * bytes that are no texts are left out.
 * @throws {DataError} if the file is damaged, or has no row
 */
export async function readParquet(path: string): Promise<JsonLine[]> {
  const bytes = readWholeFile(path);
  if (bytes.length === 0) throw refuse(path, "it is empty");
  if (new TextDecoder().decode(bytes.subarray(0, 4)) !== "PAR1") {
    throw refuse(path, "it does not begin with PAR1");
  }
  const file = bytes.buffer;
  let rows: Record<string, unknown>[];
  try {
    const metadata = parquetMetadata(file);
    if (Number(metadata.num_rows) > 0 && metadata.row_groups.length === 0) {
      throw new RangeError(
        `Cannot find its rows as groups must hold them: it claims ${metadata.num_rows} in no group`,
      );
    }
    rows = await parquetReadObjects({ file, metadata, compressors: COMPRESSORS });
    if (rows.length !== Number(metadata.num_rows)) {
      throw new RangeError(
        `Cannot find its rows as there must be ${metadata.num_rows}: there are ${rows.length}`,
      );
    }
  } catch (cause) {
    throw refuse(path, (cause as Error).message, cause);
  }
  if (rows.length === 0) throw refuse(path, "it has no row");
  return rows.map((row, k) => ({ line: k + 1, value: plain(row) as Record<string, unknown> }));
}

/** A value as JSON has them. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array || Buffer.isBuffer(value)) return undefined;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, plain(item)]).filter(([, item]) => item !== undefined),
  );
}

function refuse(file: string, current: string, cause?: unknown): DataError {
  return new DataError(`Cannot read ${file} as it must be a whole Parquet file: ${current}`, { file }, {
    cause,
  });
}
