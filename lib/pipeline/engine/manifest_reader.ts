/**
 * Reads a YAML manifest and reports all problems at once, each as `file:line:column`.
 * @module
 */
import { checkRegular } from "@/lib/data/files/whole_file.ts";
import { MAX_YAML_BYTES } from "./yaml_limits.ts";
import type { z } from "zod";
import { reasonOf } from "@/lib/data/files/file_errors.ts";
import { ManifestError } from "@/lib/compute/tensor/errors.ts";
import {
  foreachEntrySchema,
  iterateEntrySchema,
  type Manifest,
  manifestSchema,
  RENAMED_KEEP_KEYS,
  stageEntrySchema,
} from "./manifest.ts";
import {
  parsePlacedYaml,
  placedError,
  type PlacedProblem,
  type YamlPath,
  zodProblems,
} from "./placed_yaml.ts";

/** A manifest with the positions of its entries. */
export interface ManifestSource {
  readonly file: string;
  readonly manifest: Manifest;
  /** `file:line:column` of the entry at `at`, or of the nearest one around it */
  readonly place: (at: YamlPath) => string;
}

/**
 * Parses and checks `text`, the content of `file`.
 * @throws {ManifestError} with every problem of syntax, keys, types and nesting
 */
export function parseManifest(text: string, file: string): ManifestSource {
  const { value, place } = parsePlacedYaml(text, file, "manifest");
  const problems = check(value);
  if (problems.length > 0) throw placedError("manifest", file, problems, place);
  return { file, manifest: manifestSchema.parse(value), place };
}

/** Reads and checks the manifest `file`. `shown` is its name in messages. */
export async function readManifest(file: string, shown = file): Promise<ManifestSource> {
  let text: string;
  try {
    checkRegular(file, MAX_YAML_BYTES);
    text = await Deno.readTextFile(file);
  } catch (error) {
    throw new ManifestError(`Cannot read manifest ${shown}: ${reasonOf(error)}`);
  }
  return parseManifest(text, shown);
}

const PLACEHOLDER = { uses: "x" };

/** Returns all problems of form. Entries are checked one by one, as the error of a union only says that none fits. */
function check(value: unknown): PlacedProblem[] {
  const top = isRecord(value) ? value : {};
  const stages = isRecord(top.stages) ? top.stages : {};
  const shallow = isRecord(top.stages)
    ? { ...top, stages: Object.fromEntries(Object.keys(stages).map((name) => [name, PLACEHOLDER])) }
    : value;
  return [
    ...problemsOf(manifestSchema, shallow, []),
    ...Object.entries(stages).flatMap(([name, entry]) => checkEntry(entry, ["stages", name])),
  ];
}

function checkEntry(entry: unknown, at: YamlPath): PlacedProblem[] {
  if (!isBlockEntry(entry)) return problemsOf(stageEntrySchema, entry, at);
  const inner = isRecord(entry.stages) ? entry.stages : {};
  const nested = Object.keys(inner).filter((key) => isBlockEntry(inner[key]));
  const placeholders = Object.fromEntries(nested.map((key) => [key, PLACEHOLDER]));
  const flat = nested.length === 0 ? entry : { ...entry, stages: { ...inner, ...placeholders } };
  return [
    ...nested.map((key) => ({
      at: [...at, "stages", key],
      message: `block "${key}" is inside block "${at.at(-1)}": blocks cannot be nested`,
    })),
    ...problemsOf("foreach" in entry ? foreachEntrySchema : iterateEntrySchema, flat, at),
  ];
}

function problemsOf(schema: z.ZodType, value: unknown, at: YamlPath): PlacedProblem[] {
  return zodProblems(
    schema.safeParse(value, { reportInput: true }),
    at,
    // A stage with the key of a block would have been checked as a block.
    (path) => [
      ...keysAt(schema, path.slice(at.length)),
      ...(schema === stageEntrySchema && path.length === at.length ? ["foreach", "iterate"] : []),
    ],
    (path) => path.join() === "keep" ? RENAMED_KEEP_KEYS : {},
  );
}

/** Returns the keys of the object at `path` in `schema`, for suggestions. */
function keysAt(schema: z.ZodType, path: YamlPath): readonly string[] {
  const { innerType, options, shape, valueType } = schema.def as SchemaParts;
  if (innerType) return keysAt(innerType, path);
  if (options) return options.flatMap((option) => keysAt(option, path));
  const [key, ...rest] = path;
  if (key === undefined) return Object.keys(shape ?? {});
  const inner = shape?.[key] ?? valueType;
  return inner ? keysAt(inner, rest) : [];
}

/** The parts of a zod schema that this file reads: of a default, a union, an object and a record. */
interface SchemaParts {
  readonly innerType?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly valueType?: z.ZodType;
}

function isBlockEntry(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && ("foreach" in value || "iterate" in value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
