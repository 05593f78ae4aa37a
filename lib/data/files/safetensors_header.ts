/**
 * The header of a safetensors file: eight bytes of length, then JSON with the byte range of each tensor. All of it is
 * checked before anything is allocated, since files may be damaged or malicious.
 * Format: https://huggingface.co/docs/safetensors (names, dtypes, limits as in its Rust implementation).
 * @module
 */
import { BYTES, type DType } from "@/lib/compute/tensor/dtype.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import type { Shape } from "@/lib/compute/tensor/tensor.ts";
import { isJsonObject, parseStrictJson } from "./strict_json.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

/** Type, shape and byte range of a tensor. */
export interface TensorInfo {
  readonly dtype: DType;
  readonly shape: Shape;
  /** byte offsets within the file; `end` is exclusive */
  readonly begin: number;
  readonly end: number;
}

/** A parsed header. */
export interface SafetensorsHeader {
  /** in the order of their bytes */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Limit of the header, bytes. */
const MAX_HEADER_BYTES = 100_000_000;

/** Names of the supported element types in files. */
export const DTYPE_NAMES: Readonly<Record<DType, string>> = {
  f64: "F64",
  f32: "F32",
  f16: "F16",
  bf16: "BF16",
  i64: "I64",
  i32: "I32",
  u8: "U8",
  bool: "BOOL",
};

const DTYPES: ReadonlyMap<string, DType> = new Map(
  (Object.keys(DTYPE_NAMES) as DType[]).map((dtype) => [DTYPE_NAMES[dtype], dtype]),
);

/**
 * Returns the length of the header in bytes, from the first bytes of the file.
 * @param start up to eight bytes, little endian
 * @param fileBytes size of the file
 * @throws {DataError} if it exceeds the file or MAX_HEADER_BYTES
 */
export function headerLength(path: string, start: Uint8Array<ArrayBuffer>, fileBytes: number): number {
  if (start.length < 8) {
    throw invalid(path, `must begin with 8 bytes of header length, got ${start.length} bytes`);
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  const limit = Math.min(MAX_HEADER_BYTES, fileBytes - 8);
  if (length > BigInt(limit)) {
    throw invalid(path, `the header must have at most ${limit} bytes, got ${length}`);
  }
  return Number(length);
}

/**
 * Parses and checks the JSON of a header.
 * @param bytes the header without its length
 * @param fileBytes size of the file
 * @throws {DataError} listing every bad entry: not an object, a repeated key, an unknown dtype, an invalid shape or
 *   offsets, offsets outside the file or not matching the shape, tensors that overlap or leave gaps
 */
export function parseHeader(path: string, bytes: Uint8Array, fileBytes: number): SafetensorsHeader {
  const entries = headerEntries(path, bytes);
  const dataBegin = 8 + bytes.length;
  const problems: string[] = [];
  const metadata = entries["__metadata__"] ?? {};
  if (!isStringRecord(metadata)) problems.push("__metadata__ must be an object of strings");
  const infos: [string, TensorInfo][] = [];
  for (const [name, entry] of Object.entries(entries)) {
    if (name === "__metadata__") continue;
    const info = name === "__proto__" ? "is a reserved name" : tensorInfo(entry, dataBegin, fileBytes);
    if (typeof info === "string") problems.push(`${name} ${info}`);
    else infos.push([name, info]);
  }
  // Gaps between entries mean something only if every entry is valid.
  infos.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  if (problems.length === 0) append(problems, gaps(infos, dataBegin, fileBytes));
  if (problems.length > 0) throw invalid(path, listed(problems));
  return { tensors: new Map(infos), metadata: metadata as Record<string, string> };
}

/** Returns the JSON object of the header. */
function headerEntries(path: string, bytes: Uint8Array): Record<string, unknown> {
  try {
    const value = parseStrictJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw invalid(path, `the header is not valid JSON: ${(cause as Error).message}`, cause);
  }
  throw invalid(path, "the header must be a JSON object");
}

/** Returns one entry, or its problem as a text. */
function tensorInfo(entry: unknown, dataBegin: number, fileBytes: number): TensorInfo | string {
  if (!isJsonObject(entry)) return "must have an object as its entry";
  const { dtype: dtypeName, shape, data_offsets: offsets } = entry;
  if (typeof dtypeName !== "string") return "has no dtype";
  const dtype = DTYPES.get(dtypeName);
  if (dtype === undefined) {
    return `must have a dtype of ${[...DTYPES.keys()].join(", ")}, got ${dtypeName}`;
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    return `must have a list of sizes as its shape, got ${show(shape)}`;
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    return `must have two data_offsets, got ${show(offsets)}`;
  }
  const [begin, end] = offsets as [number, number];
  if (end < begin) return `ends at byte ${end} before it begins at ${begin}`;
  if (end > fileBytes - dataBegin) {
    return `ends at byte ${end}, after the end of the data at ${fileBytes - dataBegin}`;
  }
  let bytes: number = BYTES[dtype];
  for (const size of shape) {
    bytes *= size;
    if (bytes > Number.MAX_SAFE_INTEGER) {
      return `has a shape too large for any file: ${show(shape)}`;
    }
  }
  if (bytes !== end - begin) {
    return `needs ${bytes} bytes for ${dtypeName} ${show(shape)}, got ${end - begin}`;
  }
  return { dtype, shape, begin: dataBegin + begin, end: dataBegin + end };
}

/** Returns where the tensors, in order, overlap or leave unused bytes. */
function gaps(infos: readonly [string, TensorInfo][], dataBegin: number, fileBytes: number): string[] {
  const problems: string[] = [];
  let at = dataBegin;
  for (const [name, { begin, end }] of infos) {
    if (begin < at) problems.push(`${name} begins at byte ${begin - dataBegin}, inside the previous tensor`);
    if (begin > at) problems.push(`${begin - at} bytes before ${name} are unused`);
    at = Math.max(at, end);
  }
  if (at < fileBytes) problems.push(`the last ${fileBytes - at} bytes are unused`);
  return problems;
}

function isSize(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isStringRecord(value: unknown): value is Record<string, string> {
  return isJsonObject(value) && Object.values(value).every((item) => typeof item === "string");
}

/** Returns a value of the header as JSON, shortened. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "(none)";
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function invalid(file: string, problem: string, cause?: unknown): DataError {
  return new DataError(`${file}: invalid safetensors file: ${problem}`, { file }, { cause });
}
