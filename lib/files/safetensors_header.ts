/**
 * The header of a safetensors file: eight bytes of length, then JSON that says where each tensor lies. Everything is
 * checked before anything is allocated: a header is a claim by whoever wrote the file.
 * Format: https://huggingface.co/docs/safetensors (names, dtypes, limits as in its Rust implementation).
 * @module
 */
import { BYTES, type DType } from "@/lib/tensor/dtype.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { Shape } from "@/lib/tensor/tensor.ts";
import { isJsonObject, parseStrictJson } from "./strict_json.ts";

/** Where a tensor lies. */
export interface TensorInfo {
  readonly dtype: DType;
  readonly shape: Shape;
  /** byte offsets within the file; `end` is exclusive */
  readonly begin: number;
  readonly end: number;
}

/** What a header says. */
export interface SafetensorsHeader {
  /** in the order of their bytes */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The longest header that is read, bytes. */
export const MAX_HEADER_BYTES = 100_000_000;

/** On-disk names of the element types that the project handles. */
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

/** Problems that a message spells out; the rest is counted. */
const SHOWN = 10;

/**
 * The length of the header in bytes, from the first bytes of the file.
 * @param start up to eight bytes, little endian
 * @param fileBytes size of the file
 * @throws {DataError} if it is more than the file holds or than MAX_HEADER_BYTES
 */
export function headerLength(path: string, start: Uint8Array<ArrayBuffer>, fileBytes: number): number {
  if (start.length < 8) {
    throw new DataError(
      `Cannot read ${path} as safetensors must begin with 8 bytes of header length: it has ${start.length} bytes`,
      { file: path },
    );
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  const limit = Math.min(MAX_HEADER_BYTES, fileBytes - 8);
  if (length > BigInt(limit)) {
    throw new DataError(
      `Cannot read ${path} as its safetensors header must fit into ${limit} bytes: it claims ${length}`,
      { file: path },
    );
  }
  return Number(length);
}

/**
 * Reads and checks the JSON of a header.
 * @param bytes the header without its length
 * @param fileBytes size of the file
 * @throws {DataError} with every entry that is wrong: not an object, a key twice, unknown dtype, a shape or offsets
 *   that are no sizes, offsets outside the file or not those of the shape, tensors that overlap or leave gaps
 */
export function parseHeader(path: string, bytes: Uint8Array, fileBytes: number): SafetensorsHeader {
  const entries = headerEntries(path, bytes);
  const dataBegin = 8 + bytes.length;
  const problems: string[] = [];
  const metadata = entries["__metadata__"] ?? {};
  if (!isStringRecord(metadata)) problems.push("__metadata__ is no object of strings");
  const infos: [string, TensorInfo][] = [];
  for (const [name, entry] of Object.entries(entries)) {
    if (name === "__metadata__") continue;
    const info = name === "__proto__" ? "is no name for a tensor" : tensorInfo(entry, dataBegin, fileBytes);
    if (typeof info === "string") problems.push(`${name} ${info}`);
    else infos.push([name, info]);
  }
  // Only where every entry is sound does it say something that the next one begins elsewhere.
  infos.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  if (problems.length === 0) problems.push(...gaps(infos, dataBegin, fileBytes));
  if (problems.length > 0) throw refuse(path, showProblems(problems));
  return { tensors: new Map(infos), metadata: metadata as Record<string, string> };
}

/** The header's JSON object. */
function headerEntries(path: string, bytes: Uint8Array): Record<string, unknown> {
  try {
    const value = parseStrictJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw refuse(path, `the header is no valid JSON: ${(cause as Error).message}`, cause);
  }
  throw refuse(path, "the header is JSON but no object");
}

/** One entry, checked on its own; a text says what is wrong with it. */
function tensorInfo(entry: unknown, dataBegin: number, fileBytes: number): TensorInfo | string {
  if (!isJsonObject(entry)) return "has no object as its entry";
  const { dtype: dtypeName, shape, data_offsets: offsets } = entry;
  if (typeof dtypeName !== "string") return "has no dtype";
  const dtype = DTYPES.get(dtypeName);
  if (dtype === undefined) {
    return `has the dtype ${dtypeName}, which is none of ${[...DTYPES.keys()].join(", ")}`;
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    return `has the shape ${show(shape)}, which is no list of sizes`;
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    return `has the data_offsets ${show(offsets)}, which are no two sizes`;
  }
  const [begin, end] = offsets as [number, number];
  if (end < begin) return `ends at byte ${end} before it begins at ${begin}`;
  if (end > fileBytes - dataBegin) return `ends at byte ${end} of ${fileBytes - dataBegin}`;
  let bytes: number = BYTES[dtype];
  for (const size of shape) {
    bytes *= size;
    if (bytes > Number.MAX_SAFE_INTEGER) {
      return `has the shape ${show(shape)}, which is too large for any file`;
    }
  }
  if (bytes !== end - begin) {
    return `needs ${bytes} bytes for ${dtypeName} ${show(shape)} and has ${end - begin}`;
  }
  return { dtype, shape, begin: dataBegin + begin, end: dataBegin + end };
}

/** Where the tensors, in order, overlap or leave bytes that belong to none. */
function gaps(infos: readonly [string, TensorInfo][], dataBegin: number, fileBytes: number): string[] {
  const problems: string[] = [];
  let at = dataBegin;
  for (const [name, { begin, end }] of infos) {
    if (begin < at) problems.push(`${name} begins at byte ${begin - dataBegin} within the tensor before it`);
    if (begin > at) problems.push(`${begin - at} bytes before ${name} belong to no tensor`);
    at = Math.max(at, end);
  }
  if (at < fileBytes) problems.push(`the last ${fileBytes - at} bytes belong to no tensor`);
  return problems;
}

function isSize(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isStringRecord(value: unknown): value is Record<string, string> {
  return isJsonObject(value) && Object.values(value).every((item) => typeof item === "string");
}

/** A value of the header as it stood there, cut short. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "(none)";
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function showProblems(problems: readonly string[]): string {
  const rest = problems.length > SHOWN ? `; and ${problems.length - SHOWN} more` : "";
  return problems.slice(0, SHOWN).join("; ") + rest;
}

function refuse(file: string, current: string, cause?: unknown): DataError {
  return new DataError(`Cannot read ${file} as it must be a valid safetensors file: ${current}`, { file }, {
    cause,
  });
}
