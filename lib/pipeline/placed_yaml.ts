/**
 * YAML that can say where things stand: values by their keys, and problems as `file:line:column`, all in one error.
 * Manifests and experiments are read through it.
 * @module
 */
import { isMap, isScalar, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { ManifestError } from "@/lib/tensor/errors.ts";
import { suggestion } from "./suggest.ts";
import { phraseOf } from "./zod_phrases.ts";

/** A path of keys and indices into a document. */
export type Pointer = readonly (string | number)[];

/** A problem, and where in the document it is. */
export interface Problem {
  readonly at: Pointer;
  readonly message: string;
}

/** A parsed document with the means to point into its text. */
export interface PlacedYaml {
  readonly value: unknown;
  /** `file:line:column` of the entry at `at`, or of the nearest one around it */
  readonly place: (at: Pointer) => string;
}

/** One error for all `problems` of a `kind` of file (`manifest`), in the order of the file. */
export function placedError(
  kind: string,
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
    `Cannot use ${kind} ${file} as it must be free of errors: ${count}${lines}`,
    issues,
  );
}

/**
 * Parses `text`, the content of `file`, which is a `kind` of file.
 * @throws {ManifestError} with every problem of syntax
 */
export function parsePlacedYaml(text: string, file: string, kind: string): PlacedYaml {
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
    throw placedError(kind, file, problems, ([i]) => at(offsets.get(String(i)) ?? 0));
  }
  return { value: document.toJS({ maxAliasCount: 100 }) ?? {}, place };
}

/**
 * What zod found wrong, as problems below `prefix`.
 * @param knownKeys the keys that were right at a path, for suggestions
 */
export function zodProblems(
  result: z.ZodSafeParseResult<unknown>,
  prefix: Pointer,
  knownKeys: (path: Pointer) => readonly string[],
): Problem[] {
  return (result.error?.issues ?? []).flatMap((issue) => {
    const at = [...prefix, ...issue.path as (string | number)[]];
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys(at);
      return issue.keys.map((key) => ({
        at: [...at, key],
        message: `unknown key "${key}"${suggestion(key, known)}`,
      }));
    }
    const what = issue.path.length === 0 ? "" : `"${String(issue.path.at(-1))}" `;
    return [{ at, message: `${what}${phraseOf(issue)}` }];
  });
}
