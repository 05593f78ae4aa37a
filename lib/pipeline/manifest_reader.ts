/**
 * Reads a YAML manifest and reports all that is wrong with it at once, each as `file:line:column`.
 * @module
 */
import { isMap, isScalar, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { reasonOf } from "@/lib/files/file_errors.ts";
import { ManifestError } from "@/lib/tensor/errors.ts";
import {
  foreachEntrySchema,
  iterateEntrySchema,
  type Manifest,
  manifestSchema,
  stageEntrySchema,
} from "./manifest.ts";
import { suggestion } from "./suggest.ts";
import { phraseOf } from "./zod_phrases.ts";

/** A path of keys and indices into the manifest. */
export type Pointer = readonly (string | number)[];

/** A problem, and where in the manifest it is. */
export interface Problem {
  readonly at: Pointer;
  readonly message: string;
}

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
  const issues = problems.map((p) => ({
    pointer: `/${p.at.join("/")}`,
    message: p.message,
    place: place(p.at),
  }));
  const rank = (place: string) => {
    const [, line, column] = /:(\d+):(\d+)$/.exec(place) ?? [];
    return Number(line) * 1e6 + Number(column);
  };
  issues.sort((a, b) => rank(a.place) - rank(b.place));
  const count = issues.length === 1 ? "1 problem" : `${issues.length} problems`;
  const lines = issues.map((i) => `\n  ${i.place}: ${i.message}`).join("");
  return new ManifestError(
    `Cannot use manifest ${file} as it must be free of errors: ${count}${lines}`,
    issues,
  );
}

/**
 * Parses and checks `text`, the content of `file`.
 * @throws {ManifestError} with every problem of syntax, keys, types and depth
 */
export function parseManifest(text: string, file: string): ManifestSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const place = (pointer: Pointer): string => {
    let node: unknown = document.contents;
    let offset = 0;
    for (const key of pointer) {
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
        if (!pair) break;
        offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset;
        node = pair.value;
      } else {
        const item = (node as { items?: unknown[] } | null)?.items?.[Number(key)];
        const range = (item as { range?: [number, number, number] } | undefined)?.range;
        if (!range) break;
        offset = range[0];
        node = item;
      }
    }
    return at(offset);
  };
  if (document.errors.length > 0) {
    const offsets = new Map(document.errors.map((e, i) => [String(i), e.pos[0]]));
    const problems = document.errors.map((e, i) => ({ at: [String(i)], message: e.message }));
    throw manifestError(file, problems, ([i]) => at(offsets.get(String(i)) ?? 0));
  }
  const value: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};
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
  if (result.success) return;
  for (const issue of result.error.issues) {
    const path = issue.path as (string | number)[];
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys([...prefix, ...path], value);
      for (const key of issue.keys) {
        problems.push({
          at: [...prefix, ...path, key],
          message: `unknown key "${key}"${suggestion(key, known)}`,
        });
      }
    } else {
      const what = path.length === 0 ? "" : `"${path.at(-1)}" `;
      problems.push({ at: [...prefix, ...path], message: `${what}${phraseOf(issue)}` });
    }
  }
}

const KEYS = {
  top: Object.keys(manifestSchema.shape),
  stage: [...Object.keys(stageEntrySchema.shape), "foreach", "iterate"],
  foreach: Object.keys(foreachEntrySchema.shape),
  iterate: Object.keys(iterateEntrySchema.shape),
};

/** The keys that were right at `path`, for suggestions. */
function knownKeys(path: Pointer, value: unknown): readonly string[] {
  if (path.length === 0) return KEYS.top;
  if (path.at(-1) === "iterate") return ["count", "carry", "until"];
  if (path.at(-1) === "foreach") return ["count"];
  if (path.at(-1) === "until") return ["metric", "above", "below"];
  if (path.at(-1) === "keep") return ["states", "policies", "best"];
  if (path[0] === "stages" && path.length === 2 && isRecord(value)) {
    if ("foreach" in value) return KEYS.foreach;
    if ("iterate" in value) return KEYS.iterate;
  }
  return KEYS.stage;
}

function isBlockLike(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && ("foreach" in value || "iterate" in value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
