/**
 * Reads a YAML manifest and reports all that is wrong with it at once, each as `file:line:column`.
 * @module
 */
import type { z } from "zod";
import { reasonOf } from "@/lib/files/file_errors.ts";
import { ManifestError } from "@/lib/tensor/errors.ts";
import {
  foreachEntrySchema,
  iterateEntrySchema,
  type Manifest,
  MANIFEST_KEYS,
  manifestSchema,
  stageEntrySchema,
} from "./manifest.ts";
import { parsePlacedYaml, placedError, type Pointer, type Problem, zodProblems } from "./placed_yaml.ts";

export type { Pointer, Problem };

/** A manifest with the means to point into its text. */
export interface ManifestSource {
  readonly file: string;
  readonly manifest: Manifest;
  /** `file:line:column` of the entry at `at`, or of the nearest one around it */
  readonly place: (at: Pointer) => string;
}

/** One error for all `problems`, in the order of the file. */
export function manifestError(
  file: string,
  problems: readonly Problem[],
  place: (at: Pointer) => string,
): ManifestError {
  return placedError("manifest", file, problems, place);
}

/**
 * Parses and checks `text`, the content of `file`.
 * @throws {ManifestError} with every problem of syntax, keys, types and depth
 */
export function parseManifest(text: string, file: string): ManifestSource {
  const { value, place } = parsePlacedYaml(text, file, "manifest");
  const problems = check(value);
  if (problems.length > 0) throw manifestError(file, problems, place);
  return { file, manifest: manifestSchema.parse(value), place };
}

/** Reads and checks the manifest `file`. `shown` is its name in messages. */
export async function readManifest(file: string, shown = file): Promise<ManifestSource> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    throw new ManifestError(
      `Cannot read manifest ${shown} as it must be a readable file: ${reasonOf(error)}`,
    );
  }
  return parseManifest(text, shown);
}

/** All problems of form. Entries are checked one by one by their kind, as a union would only say that none fits. */
function check(value: unknown): Problem[] {
  const problems: Problem[] = [];
  const top = isRecord(value) ? value : {};
  const stages = isRecord(top.stages) ? top.stages : {};
  const placeholders = Object.fromEntries(Object.keys(stages).map((name) => [name, { uses: "x" }]));
  const shallow = isRecord(value) && isRecord(top.stages) ? { ...top, stages: placeholders } : value;
  collect(manifestSchema.safeParse(shallow), [], shallow, problems);
  for (const [name, entry] of Object.entries(stages)) {
    const at = ["stages", name];
    if (!isBlockLike(entry)) {
      collect(stageEntrySchema.safeParse(entry), at, entry, problems);
      continue;
    }
    const inner = isRecord(entry.stages) ? entry.stages : {};
    const nested = Object.keys(inner).filter((key) => isBlockLike(inner[key]));
    for (const key of nested) {
      const message = `block "${key}" stands inside block "${name}": blocks nest one level deep`;
      problems.push({ at: [...at, "stages", key], message });
    }
    const flat = nested.length === 0
      ? entry
      : { ...entry, stages: { ...inner, ...Object.fromEntries(nested.map((key) => [key, { uses: "x" }])) } };
    collect(
      ("foreach" in entry ? foreachEntrySchema : iterateEntrySchema).safeParse(flat),
      at,
      flat,
      problems,
    );
  }
  return problems;
}

function collect(
  result: z.ZodSafeParseResult<unknown>,
  prefix: Pointer,
  value: unknown,
  problems: Problem[],
): void {
  problems.push(...zodProblems(result, prefix, (path) => knownKeys(path, value)));
}

/** The keys that were right at `path`, for suggestions. */
function knownKeys(path: Pointer, value: unknown): readonly string[] {
  const [first, , third, last] = path;
  if (path.length === 0) return Object.keys(manifestSchema.shape);
  if (path.length === 1 && first === "keep") return MANIFEST_KEYS.keep;
  if (path.length === 3 && third === "iterate") return MANIFEST_KEYS.ofIterate;
  if (path.length === 3 && third === "foreach") return MANIFEST_KEYS.ofForeach;
  if (third === "iterate" && (last === "until" || last === "best")) return MANIFEST_KEYS[last];
  if (first === "stages" && path.length === 2 && isRecord(value)) {
    if ("foreach" in value) return MANIFEST_KEYS.foreach;
    if ("iterate" in value) return MANIFEST_KEYS.iterate;
  }
  return MANIFEST_KEYS.stage;
}

function isBlockLike(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && ("foreach" in value || "iterate" in value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
