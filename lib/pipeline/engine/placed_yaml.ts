/**
 * Parses YAML with positions: values by their keys, and problems as `file:line:column`, all in one error. Manifests and
 * experiments are read with it.
 * @module
 */
import { type Document, isMap, isScalar, LineCounter, parseDocument, visit } from "yaml";
import type { z } from "zod";
import { ManifestError } from "@/lib/compute/tensor/errors.ts";
import { unknownName } from "./suggest.ts";
import { amountProblem, MAX_YAML_BYTES, MAX_YAML_DEPTH } from "./yaml_limits.ts";
import { phraseOf } from "./zod_phrases.ts";

/** A path of keys and indices into a document. */
export type YamlPath = readonly (string | number)[];

/** A problem, and where in the document it is. */
export interface PlacedProblem {
  readonly at: YamlPath;
  readonly message: string;
}

/** A parsed document with the positions of its entries. */
export interface PlacedYaml {
  readonly value: unknown;
  /** `file:line:column` of the entry at `at`, or of the nearest one around it */
  readonly place: (at: YamlPath) => string;
}

/** Returns one error for all `problems` of a `kind` of file (`manifest`), in the order of the file. */
export function placedError(
  kind: string,
  file: string,
  problems: readonly PlacedProblem[],
  place: (at: YamlPath) => string,
): ManifestError {
  const issues = problems.map(({ at, message }) => ({
    pointer: `/${at.join("/")}`,
    message,
    place: place(at),
  }));
  const rank = (place: string) => {
    const [, line, column] = /:(\d+):(\d+)$/.exec(place) ?? [];
    return Number(line) * 1e6 + Number(column);
  };
  issues.sort((a, b) => rank(a.place) - rank(b.place));
  const count = issues.length === 1 ? "1 problem" : `${issues.length} problems`;
  const lines = issues.map((i) => `\n  ${i.place}: ${i.message}`).join("");
  return new ManifestError(`Invalid ${kind} ${file}: ${count}${lines}`, issues);
}

/**
 * Parses `text`, the content of `file`, which is a `kind` of file.
 * @throws {ManifestError} with every syntax error
 */
export function parsePlacedYaml(text: string, file: string, kind: string): PlacedYaml {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > MAX_YAML_BYTES) {
    const message = `a file must have at most ${MAX_YAML_BYTES} bytes, got ${bytes}`;
    throw placedError(kind, file, [{ at: [], message }], () => `${file}:1:1`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ message }, i) => ({ at: [i], message: inOurWords(message) }));
    throw placedError(kind, file, problems, ([i]) => at(document.errors[i as number]!.pos[0]));
  }
  const value = valueOf(document);
  if ("problem" in value) {
    const problems = [{ at: [], message: value.problem }];
    throw placedError(kind, file, problems, () => at(firstAlias(document) ?? 0));
  }
  return {
    value: value.value ?? {},
    place: (pointer) => at(offsetOf(document.contents, pointer)),
  };
}

/** Returns the value of a document, or what is wrong with its amount. */
function valueOf(document: Document.Parsed): { readonly value: unknown } | { readonly problem: string } {
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    const problem = amountProblem(value);
    return problem === undefined ? { value } : { problem };
  } catch (error) {
    // The library counts what aliases expand to, and refuses merge keys (<<) of what is no map.
    return { problem: inOurWords((error as Error).message) };
  }
}

/** Returns a message of the library for problems of amount in the words of this project. */
function inOurWords(message: string): string {
  if (/call stack/.test(message)) {
    return `maps and lists must be nested at most ${MAX_YAML_DEPTH} deep, got more`;
  }
  return /alias count/.test(message) ? "aliases must not expand to that many values" : message;
}

/** Returns the offset of the first alias, which most problems of amount come from. */
function firstAlias(document: Document.Parsed): number | undefined {
  let found: number | undefined;
  visit(document, {
    Alias(_, node) {
      found = node.range?.[0];
      return visit.BREAK;
    },
  });
  return found;
}

interface Ranged {
  readonly range?: readonly [number, number, number];
  readonly items?: readonly unknown[];
}

/** Returns the offset of the entry at `pointer` below `node`, or of the nearest one around it. */
function offsetOf(node: unknown, pointer: YamlPath): number {
  let offset = 0;
  for (const key of pointer) {
    const pair = isMap(node)
      ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key))
      : undefined;
    const named = (pair ? pair.key : (node as Ranged | null)?.items?.[Number(key)]) as Ranged | undefined;
    if (named?.range === undefined) break;
    offset = named.range[0];
    node = pair ? pair.value : named;
  }
  return offset;
}

/**
 * Returns the problems that zod found, below `prefix`.
 * @param knownKeys the keys that are allowed at a path, for suggestions
 * @param renamedKeys old keys at a path with their new names
 */
export function zodProblems(
  result: z.ZodSafeParseResult<unknown>,
  prefix: YamlPath,
  knownKeys: (path: YamlPath) => readonly string[],
  renamedKeys: (path: YamlPath) => Readonly<Record<string, string>> = () => ({}),
): PlacedProblem[] {
  return (result.error?.issues ?? []).flatMap((issue) => {
    const at = [...prefix, ...issue.path as (string | number)[]];
    if (issue.code !== "unrecognized_keys") {
      const name = issue.path.length === 0 ? "" : `"${String(issue.path.at(-1))}" `;
      return [{ at, message: `${name}${phraseOf(issue)}` }];
    }
    return issue.keys.map((key) => ({
      at: [...at, key],
      message: unknownName("key", key, knownKeys(at), renamedKeys(at)),
    }));
  });
}
