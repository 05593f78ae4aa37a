/**
 * The weight files of a Hugging Face model directory under one set of names: `model.safetensors`, or the shards listed in
 * `model.safetensors.index.json`.
 * @module
 */
import { join } from "node:path";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import type { Shape } from "@/lib/compute/tensor/tensor.ts";
import { reading } from "./file_errors.ts";
import type { HandOver } from "./hand_over.ts";
import { readJsonObject } from "./json.ts";
import { isFile } from "./paths.ts";
import { openSafetensors, type SafetensorsFile } from "./safetensors.ts";
import { isJsonObject } from "./strict_json.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** The open weight files of a model directory. Dispose of it to close them. */
export class CheckpointFiles implements Disposable {
  readonly #files: ReadonlyMap<string, SafetensorsFile>;

  /** Use `openCheckpointFiles()`. @param files by the name of each tensor */
  constructor(readonly directory: string, files: ReadonlyMap<string, SafetensorsFile>) {
    this.#files = files;
  }

  /** Names of all tensors. */
  get names(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** Returns whether the checkpoint has a tensor of that name. */
  has(name: string): boolean {
    return this.#files.has(name);
  }

  /** Returns the path of the file with a tensor. @throws {DataError} if there is no such tensor */
  path(name: string): string {
    return this.#fileOf(name).path;
  }

  /** Returns the shape of a tensor. @throws {DataError} if there is no such tensor */
  shape(name: string): Shape {
    return this.#fileOf(name).info(name).shape;
  }

  /**
   * Reads a weight as f32 (see `SafetensorsFile.readFloat32()`) and checks that all values are finite.
   * @throws {DataError} if there is no such tensor, it is not of floats, or a value is NaN or infinite
   */
  readFloat32(name: string, into?: Float32Array): Float32Array {
    const file = this.#fileOf(name);
    return checkFinite(name, file, file.readFloat32(name, into));
  }

  /**
   * Returns a weight in place, without a copy (see `SafetensorsFile.borrowFloat32()`), after checking that all values are
   * finite.
   * @throws {DataError} if there is no such tensor, or a value is NaN or infinite
   */
  borrowFloat32(name: string): Float32Array<ArrayBuffer> | undefined {
    const file = this.#fileOf(name), values = file.borrowFloat32(name);
    return values && checkFinite(name, file, values);
  }

  /** Closes the files. */
  [Symbol.dispose](): void {
    for (const file of new Set(this.#files.values())) file[Symbol.dispose]();
  }

  #fileOf(name: string): SafetensorsFile {
    const file = this.#files.get(name);
    if (file !== undefined) return file;
    throw new DataError(`${this.directory}: missing tensor ${name}`, { file: this.directory });
  }
}

/**
 * Opens the weight files of a model directory and checks their headers.
 * @param handOver searched for `model.safetensors` before the disk
 * @throws {DataError} if there are no weights (pickle files are named and refused), a shard is missing or outside the
 *   directory, or a shard does not have exactly the tensors that the index assigns to it
 */
export function openCheckpointFiles(directory: string, handOver?: HandOver): CheckpointFiles {
  const present = new Set(reading(directory, () => [...Deno.readDirSync(directory)].map(({ name }) => name)));
  if (present.has(SINGLE) || handOver?.taken(join(directory, SINGLE))) {
    const file = openSafetensors(join(directory, SINGLE), handOver);
    return new CheckpointFiles(directory, new Map(file.names.map((name) => [name, file])));
  }
  if (present.has(INDEX)) return openShards(directory, readIndex(join(directory, INDEX)));
  const pickles = [...present].filter((name) => /\.(bin|pt|pth|ckpt)$/.test(name)).sort();
  const found = pickles.length > 0
    ? `only ${pickles.join(", ")} (pickle files can run code, so they are not read)`
    : "neither";
  throw new DataError(`${directory} must hold ${SINGLE} or ${INDEX}, got ${found}`, { file: directory });
}

function openShards(directory: string, weightMap: ReadonlyMap<string, string>): CheckpointFiles {
  const index = join(directory, INDEX);
  const names = [...new Set(weightMap.values())].sort();
  const missing = names.filter((shard) => !isFile(join(directory, shard)));
  if (missing.length > 0) {
    throw new DataError(`${index}: missing shards: ${listed(missing)}`, { file: index });
  }
  using opened = new DisposableStack();
  const shards = new Map(names.map((shard) => [shard, opened.use(openSafetensors(join(directory, shard)))]));
  const problems = [...weightMap].flatMap(([name, shard]) =>
    shards.get(shard)!.has(name) ? [] : [`${name} is not in ${shard}`]
  );
  for (const [shard, file] of shards) {
    const unlisted = file.names.filter((name) => weightMap.get(name) !== shard);
    append(problems, unlisted.map((name) => `${name} is in ${shard}, but not in the index`));
  }
  if (problems.length > 0) {
    throw new DataError(`${index} does not match its shards: ${listed(problems)}`, { file: index });
  }
  const files = new Map([...weightMap].map(([name, shard]) => [name, shards.get(shard)!]));
  opened.move(); // from here on the caller closes them
  return new CheckpointFiles(directory, files);
}

/** Returns the shard of each tensor. */
function readIndex(path: string): ReadonlyMap<string, string> {
  const map = readJsonObject(path).weight_map;
  if (!isJsonObject(map) || Object.keys(map).length === 0) {
    throw new DataError(`${path}: missing weight_map from tensors to files`, { file: path });
  }
  const outside = [...new Set(Object.values(map))].filter((shard) => !isPlainFileName(shard));
  if (outside.length > 0) {
    const found = listed(outside.map((shard) => JSON.stringify(shard)));
    throw new DataError(`${path} must name safetensors files in its own directory, got ${found}`, {
      file: path,
    });
  }
  return new Map(Object.entries(map as Record<string, string>));
}

/** Returns whether a name has no path in it, so that an index cannot point outside its directory. */
function isPlainFileName(name: unknown): boolean {
  return typeof name === "string" && /^[^/\\\0]+\.safetensors$/.test(name);
}

/** Returns `values`, the weight `name` of `file`. @throws {DataError} if one is NaN or infinite */
function checkFinite<T extends Float32Array>(name: string, { path }: SafetensorsFile, values: T): T {
  const bad = firstNonFinite(values);
  if (bad < 0) return values;
  throw new DataError(`${path}: weights must be finite, but element ${bad} of ${name} is ${values[bad]}`, {
    file: path,
  });
}

/** Returns the index of the first NaN or infinity, or -1. Both have an exponent of all ones. */
function firstNonFinite(values: Float32Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i]! & 0x7f800000) === 0x7f800000) return i;
  }
  return -1;
}
