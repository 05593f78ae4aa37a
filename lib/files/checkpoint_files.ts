/**
 * The weight files of a Hugging Face model directory behind one set of names: `model.safetensors`, or the shards that
 * `model.safetensors.index.json` lists.
 * @module
 */
import { join } from "node:path";
import type { DType } from "@/lib/tensor/dtype.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { Shape } from "@/lib/tensor/tensor.ts";
import { codeOf } from "./file_errors.ts";
import type { HandOver } from "./hand_over.ts";
import { readJsonObject } from "./json.ts";
import { openSafetensors, type SafetensorsFile } from "./safetensors.ts";
import { isJsonObject } from "./strict_json.ts";

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

  /** True where the checkpoint holds a tensor of that name. */
  has(name: string): boolean {
    return this.#files.has(name);
  }

  /** Path of the file that holds a tensor. @throws {DataError} if there is none */
  path(name: string): string {
    return this.#fileOf(name).path;
  }

  /** Shape of a tensor. @throws {DataError} if there is none of that name */
  shape(name: string): Shape {
    return this.#fileOf(name).info(name).shape;
  }

  /** Element type of a tensor as it is stored. @throws {DataError} if there is none of that name */
  dtype(name: string): DType {
    return this.#fileOf(name).info(name).dtype;
  }

  /**
   * A weight as f32 (see `SafetensorsFile.readFloat32()`), every value of it finite.
   * @throws {DataError} if there is none of that name, it is no float, or a value is NaN or infinite
   */
  readFloat32(name: string, into?: Float32Array): Float32Array {
    const file = this.#fileOf(name);
    return checkFinite(name, file, file.readFloat32(name, into));
  }

  /**
   * A weight where it lies in memory (see `SafetensorsFile.borrowFloat32()`), every value of it finite.
   * @throws {DataError} if there is none of that name, or a value is NaN or infinite
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
    throw new DataError(
      `Cannot read ${this.directory} as its weights must hold ${name}: there is no such tensor`,
      {
        file: this.directory,
      },
    );
  }
}

/**
 * Opens the weight files of a model directory and checks their headers.
 * @param handOver where to look for `model.safetensors` before the disk
 * @throws {DataError} if there are none (pickles are named and refused), a shard is missing or lies outside the
 *   directory, or a shard does not hold just the tensors that the index puts there
 */
export function openCheckpointFiles(directory: string, handOver?: HandOver): CheckpointFiles {
  const present = fileNames(directory);
  if (present.has(SINGLE) || handOver?.taken(join(directory, SINGLE))) {
    const file = openSafetensors(join(directory, SINGLE), handOver);
    return new CheckpointFiles(directory, new Map(file.names.map((name) => [name, file])));
  }
  if (present.has(INDEX)) return openShards(directory, readIndex(join(directory, INDEX)));
  const pickles = [...present].filter((name) => /\.(bin|pt|pth|ckpt)$/.test(name)).sort();
  const found = pickles.length > 0
    ? `only ${pickles.join(", ")}, and pickles run code when they are read`
    : "neither is there";
  throw new DataError(`Cannot read ${directory} as it must hold ${SINGLE} or ${INDEX}: ${found}`, {
    file: directory,
  });
}

function openShards(directory: string, weightMap: ReadonlyMap<string, string>): CheckpointFiles {
  const index = join(directory, INDEX);
  using opened = new DisposableStack();
  const shards = new Map<string, SafetensorsFile>();
  const missing: string[] = [];
  for (const shard of [...new Set(weightMap.values())].sort()) {
    try {
      shards.set(shard, opened.use(openSafetensors(join(directory, shard))));
    } catch (error) {
      if (codeOf((error as Error).cause) !== "ENOENT") throw error;
      missing.push(shard);
    }
  }
  if (missing.length > 0) {
    throw refuseIndex(index, "name files that are there", `${missing.join(", ")} ${are(missing)} missing`);
  }
  const problems: string[] = [];
  for (const [name, shard] of weightMap) {
    if (!shards.get(shard)!.has(name)) problems.push(`${name} is not in ${shard}`);
  }
  for (const [shard, file] of shards) {
    for (const name of file.names) {
      if (weightMap.get(name) !== shard) {
        problems.push(`${name} is in ${shard}, which the index does not say`);
      }
    }
  }
  if (problems.length > 0) throw refuseIndex(index, "say where every tensor is", problems.join("; "));
  const files = new CheckpointFiles(
    directory,
    new Map([...weightMap].map(([name, shard]) => [name, shards.get(shard)!])),
  );
  opened.move(); // from here on the caller closes them
  return files;
}

/** Shard by tensor name. */
function readIndex(path: string): ReadonlyMap<string, string> {
  const map = readJsonObject(path).weight_map;
  if (!isJsonObject(map) || Object.keys(map).length === 0) {
    throw refuseIndex(path, "have a weight_map from tensor to file", "it has none");
  }
  const outside = [...new Set(Object.values(map))].filter((shard) => !isPlainFileName(shard));
  if (outside.length > 0) {
    throw refuseIndex(
      path,
      "name safetensors files beside it",
      outside.map((shard) => JSON.stringify(shard)).join(", "),
    );
  }
  return new Map(Object.entries(map as Record<string, string>));
}

/** A name without any path in it, so that no index can point out of its directory. */
function isPlainFileName(name: unknown): boolean {
  return typeof name === "string" && /^[^/\\\0]+\.safetensors$/.test(name);
}

function fileNames(directory: string): ReadonlySet<string> {
  try {
    return new Set(Array.from(Deno.readDirSync(directory), (entry) => entry.name));
  } catch (cause) {
    const current = codeOf(cause) === "ENOENT" ? "there is no such directory" : (cause as Error).message;
    throw new DataError(`Cannot read ${directory} as it must be a model directory: ${current}`, {
      file: directory,
    }, { cause });
  }
}

/** `values`, which are the weight `name` of `file`. @throws {DataError} if one is NaN or infinite */
function checkFinite<T extends Float32Array>(name: string, { path }: SafetensorsFile, values: T): T {
  const bad = firstNonFinite(values);
  if (bad < 0) return values;
  throw new DataError(
    `Cannot read ${name} of ${path} as every weight must be finite: element ${bad} is ${values[bad]}`,
    { file: path },
  );
}

/**
 * Index of the first NaN or infinity, or -1. Looks at exponent bits: all ones in both kinds.
 */
function firstNonFinite(values: Float32Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i]! & 0x7f800000) === 0x7f800000) return i;
  }
  return -1;
}

function are(list: readonly unknown[]): string {
  return list.length === 1 ? "is" : "are";
}

function refuseIndex(file: string, requirement: string, current: string): DataError {
  return new DataError(`Cannot read ${file} as it must ${requirement}: ${current}`, { file });
}
