/**
 * Reads safetensors files tensor by tensor and writes them with bytes that depend on the tensors only.
 * @module
 */
import { allocate, BYTES, type DType } from "@/lib/compute/tensor/dtype.ts";
import { DataError, ShapeError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { type HostTensor, hostTensor, sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { readError, reading } from "./file_errors.ts";
import { type FileContent, fileContent, type HandOver, partAt, readContent } from "./hand_over.ts";
import {
  DTYPE_NAMES,
  headerLength,
  parseHeader,
  type SafetensorsHeader,
  type TensorInfo,
} from "./safetensors_header.ts";
import { isFloatDType, widenInto } from "./widen.ts";
import { checkRegular, writeWholeFile } from "./whole_file.ts";

/** Bytes that are read at a time for widening. A multiple of every element size. */
const CHUNK_BYTES = 1 << 22;

/** Order of element types in a file, as in the reference implementation: wide ones first. */
const ORDER: readonly DType[] = ["i64", "f64", "f32", "i32", "bf16", "f16", "u8", "bool"];

/** An open safetensors file. Dispose of it to close the file. */
export class SafetensorsFile implements Disposable {
  readonly #file: Deno.FsFile | FileContent;
  readonly #header: SafetensorsHeader;

  /** Use `openSafetensors()`. */
  constructor(readonly path: string, file: Deno.FsFile | FileContent, header: SafetensorsHeader) {
    this.#file = file;
    this.#header = header;
  }

  /** Names of the tensors in the order of their bytes. */
  get names(): readonly string[] {
    return [...this.#header.tensors.keys()];
  }

  /** Texts attached by the writer. */
  get metadata(): Readonly<Record<string, string>> {
    return this.#header.metadata;
  }

  /** Returns whether the file has a tensor of that name. */
  has(name: string): boolean {
    return this.#header.tensors.has(name);
  }

  /**
   * Returns the type, shape and byte range of a tensor.
   * @throws {DataError} if the file has no such tensor
   */
  info(name: string): TensorInfo {
    const info = this.#header.tensors.get(name);
    if (info !== undefined) return info;
    throw new DataError(`${this.path}: missing tensor ${name}`, { file: this.path });
  }

  /**
   * Reads a tensor as stored; bf16 and f16 as raw bits.
   * @throws {DataError} if the file has no such tensor or ends early
   */
  read(name: string): HostTensor {
    const { dtype, shape, begin } = this.info(name);
    const data = allocate(dtype, sizeOf(shape));
    this.#readAt(begin, new Uint8Array(data.buffer));
    return hostTensor(dtype, shape, data);
  }

  /**
   * Reads a tensor of floats as f32: f32 as stored, bf16 and f16 exactly, f64 rounded to nearest.
   * @param into destination of the tensor's size; default: a new array
   * @returns `into`
   * @throws {DataError} if the file has no such tensor, its elements are not floats, or the file ends early
   * @throws {ShapeError} if `into` has another size
   */
  readFloat32(name: string, into?: Float32Array): Float32Array {
    const { dtype, shape, begin, end } = this.info(name);
    if (!isFloatDType(dtype)) {
      throw new DataError(`${this.path}: ${name} must hold floats, got ${DTYPE_NAMES[dtype]}`, {
        file: this.path,
      });
    }
    const out = into ?? new Float32Array(sizeOf(shape));
    if (out.length !== sizeOf(shape)) {
      throw new ShapeError(
        `${this.path}: ${name} needs an array of ${sizeOf(shape)} elements, got ${out.length}`,
        { expected: sizeOf(shape), actual: out.length },
      );
    }
    if (dtype === "f32") {
      this.#readAt(begin, new Uint8Array(out.buffer as ArrayBuffer, out.byteOffset, out.byteLength));
      return out;
    }
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - begin));
    for (let at = begin; at < end; at += chunk.length) {
      const part = chunk.subarray(0, Math.min(chunk.length, end - at));
      this.#readAt(at, part);
      widenInto(dtype, part, out.subarray((at - begin) / BYTES[dtype]));
    }
    return out;
  }

  /**
   * Returns the elements of an f32 tensor in place, without a copy, if another stage handed the file over in memory. They
   * must not be written to.
   * @throws {DataError} if the file has no such tensor
   */
  borrowFloat32(name: string): Float32Array<ArrayBuffer> | undefined {
    const { dtype, begin, end } = this.info(name);
    const part = "parts" in this.#file && dtype === "f32" ? partAt(this.#file, begin, end) : undefined;
    return part && new Float32Array(part.buffer, part.byteOffset, part.length / BYTES.f32);
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    if (!("parts" in this.#file)) this.#file.close();
  }

  #readAt(begin: number, into: Uint8Array): void {
    const file = this.#file;
    if ("parts" in file) return readContent(this.path, file, begin, into);
    reading(this.path, () => {
      file.seekSync(begin, Deno.SeekMode.Start);
      readFully(this.path, file, into);
    });
  }
}

/**
 * Opens a safetensors file and checks its header; tensors are read later.
 * @param handOver searched before the disk
 * @throws {DataError} if the file does not exist or its header is invalid (see `parseHeader()`)
 */
export function openSafetensors(path: string, handOver?: HandOver): SafetensorsFile {
  const content = handOver?.taken(path);
  if (content) {
    const start = new Uint8Array(Math.min(8, content.size));
    readContent(path, content, 0, start);
    const header = new Uint8Array(headerLength(path, start, content.size));
    readContent(path, content, start.length, header);
    return new SafetensorsFile(path, content, parseHeader(path, header, content.size));
  }
  let file: Deno.FsFile | undefined;
  try {
    // By path: on an open file, Deno requires read permission for the target of a link, as in a cache of downloads.
    checkRegular(path);
    const { size, isDirectory } = Deno.statSync(path);
    file = Deno.openSync(path, { read: true });
    if (isDirectory) throw new DataError(`Cannot read ${path}: is a directory`, { file: path });
    const start = new Uint8Array(Math.min(8, size));
    readFully(path, file, start);
    const header = new Uint8Array(headerLength(path, start, size));
    readFully(path, file, header);
    return new SafetensorsFile(path, file, parseHeader(path, header, size));
  } catch (cause) {
    file?.close();
    throw readError(path, cause);
  }
}

/** A tensor and its name in a file. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: HostTensor;
}

/**
 * Writes a safetensors file from the tensors' arrays without copying them. The bytes depend on names, tensors and metadata,
 * not on the order of the list, and equal those of the reference implementation.
 * @param give receives the content first, to keep it in memory; returns whether the file must be written
 * @throws {DataError} if a name is used twice or is reserved
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the path cannot be written
 */
export function writeSafetensors(
  path: string,
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
  give: (content: FileContent) => boolean = () => true,
): void {
  checkNames(path, tensors);
  const sorted = [...tensors].sort((a, b) =>
    ORDER.indexOf(a.tensor.dtype) - ORDER.indexOf(b.tensor.dtype) || (a.name < b.name ? -1 : 1)
  );
  const content = fileContent([
    encodeHeader(sorted, metadata),
    ...sorted.map(({ tensor: { data } }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ]);
  if (give(content)) writeWholeFile(path, content.parts);
}

/** Returns the header: its length and its JSON, padded with spaces so that the data begins at a multiple of eight. */
function encodeHeader(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const properties: string[] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) {
    properties.push(
      `"__metadata__":{${keys.map((k) => `${JSON.stringify(k)}:${JSON.stringify(metadata[k])}`).join(",")}}`,
    );
  }
  let at = 0;
  for (const { name, tensor: { dtype, shape, data } } of tensors) {
    const entry = { dtype: DTYPE_NAMES[dtype], shape, data_offsets: [at, at + data.byteLength] };
    properties.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    at += data.byteLength;
  }
  const json = new TextEncoder().encode(`{${properties.join(",")}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

function checkNames(path: string, tensors: readonly NamedTensor[]): void {
  const names = ["__metadata__", "__proto__", ...tensors.map(({ name }) => name)];
  const bad = new Set(names.filter((name, k) => names.indexOf(name) !== k));
  if (bad.size === 0) return;
  const found = listed([...bad], { separator: ", " });
  throw new DataError(`${path}: tensor names must be unique and not reserved, got ${found}`, { file: path });
}

function readFully(path: string, file: Deno.FsFile, into: Uint8Array): void {
  for (let at = 0; at < into.length;) {
    const n = file.readSync(into.subarray(at));
    if (n === null) {
      throw new DataError(`${path} changed while it was read: it ends early`, { file: path });
    }
    at += n;
  }
}
