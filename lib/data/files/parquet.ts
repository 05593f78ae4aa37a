/** Reads Parquet files (uncompressed, Snappy, Zstandard, gzip, Brotli), by npm `hyparquet`. @module */
import { type Compressors, parquetMetadata, parquetReadObjects } from "hyparquet";
import { Buffer } from "node:buffer";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { JsonLine } from "./jsonl.ts";
import { readWholeFile } from "./whole_file.ts";

/** Limit of an unpacked page, whatever its header claims. */
const MAX_PAGE_BYTES = 1 << 30;

/** Codecs that hyparquet does not include (it includes Snappy). */
const COMPRESSORS: Compressors = {
  ZSTD: (input, length) => zstdDecompressSync(input, { maxOutputLength: checked(length) }),
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: checked(length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: checked(length) }),
};

function checked(length: number): number {
  if (length <= MAX_PAGE_BYTES) return Math.max(1, length);
  throw new RangeError(`A page must have at most ${MAX_PAGE_BYTES} bytes, got ${length}`);
}

/**
 * Returns the rows of a Parquet file; `line` counts them from 1. 64-bit integers become numbers, dates become ISO 8601
 * texts, and bytes that are not text are left out.
 * @throws {DataError} if the file is damaged or has no row
 */
export async function readParquet(path: string): Promise<JsonLine[]> {
  const bytes = readWholeFile(path);
  if (bytes.length === 0) throw invalid(path, "the file is empty");
  if (new TextDecoder().decode(bytes.subarray(0, 4)) !== "PAR1") {
    throw invalid(path, "does not begin with PAR1");
  }
  const file = bytes.buffer;
  let rows: Record<string, unknown>[];
  try {
    const metadata = parquetMetadata(file), claimed = Number(metadata.num_rows);
    if (claimed > 0 && metadata.row_groups.length === 0) {
      throw new RangeError(`The footer claims ${claimed} rows, got no row group`);
    }
    rows = await withOrphans(() => parquetReadObjects({ file, metadata, compressors: COMPRESSORS }));
    if (rows.length !== claimed) {
      throw new RangeError(`The footer claims ${claimed} rows, got ${rows.length}`);
    }
  } catch (cause) {
    throw invalid(path, (cause as Error).message, cause);
  }
  if (rows.length === 0) throw invalid(path, "no rows");
  return rows.map((row, k) => ({ line: k + 1, value: plain(row) as Record<string, unknown> }));
}

/**
 * Returns the result of `read`. The library decodes columns at the same time and waits for one after the other: after a damaged
 * column, nobody waits for a second one, and its failure would end the process.
 */
async function withOrphans<T>(read: () => Promise<T>): Promise<T> {
  const ignore = (event: PromiseRejectionEvent) => {
    const { stack = "" } = event.reason instanceof Error ? event.reason : {};
    if (/hyparquet|parquet\.ts/.test(stack)) event.preventDefault();
  };
  globalThis.addEventListener("unhandledrejection", ignore);
  try {
    return await read();
  } catch (cause) {
    await new Promise((resolve) => setTimeout(resolve)); // rejections are reported at the end of a turn
    throw cause;
  } finally {
    globalThis.removeEventListener("unhandledrejection", ignore);
  }
}

/** Returns a value in the types of JSON. */
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

function invalid(file: string, problem: string, cause?: unknown): DataError {
  return new DataError(`${file}: invalid Parquet file: ${problem}`, { file }, { cause });
}
