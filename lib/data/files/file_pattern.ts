/**
 * Finds the files that match a pattern: `data/*.jsonl`, `data/**\/*.parquet`, `{train,extra}-[0-9]*.csv`. Patterns are
 * absolute paths; the files are sorted. A path that exists literally is not a pattern.
 *
 * `*` and `?` match within a name, `[a-z]` and `[!a-z]` match one character, a segment `**` matches any number of folders,
 * `{a,b}` stands for each of its alternatives, and `\` makes the next character literal. Names that begin with a dot match
 * only a pattern that begins with a dot. Every alternative of braces must match.
 * @module
 */
import { join, normalize } from "node:path";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { readError, reasonOf } from "./file_errors.ts";
import { atOnce } from "./in_slices.ts";
import { namePattern } from "./name_pattern.ts";
import { isMissing } from "./paths.ts";
import { append, smallest } from "@/lib/compute/tensor/large_lists.ts";

/** Files below one folder. */
export interface FileSet {
  /** absolute path of the deepest folder that contains all of them */
  readonly folder: string;
  /** paths within the folder, sorted */
  readonly names: readonly string[];
}

/** Limit of the files that match a pattern. */
const MAX_FILES = 5000;
/** Limit of the bytes of their names: they are passed in one command-line argument, of which Linux accepts 128 KiB. */
const MAX_BYTES = 120_000;
/** Limit of a path that any system can open. */
const MAX_PATH = 4096;
/** Limit of the characters that are searched for braces: a long text after many braces is searched for each of their names. */
const MAX_SEARCHED = 10_000_000;

/** Returns whether `path` has a character that makes it a pattern. */
export function isPattern(path: string): boolean {
  return /[*?[{]/.test(path);
}

/**
 * Returns `path` without wildcards: the file that matches, or all of them as names in braces (`/data/{a.jsonl,b.jsonl}`),
 * which `namedPaths()` can expand without permission to list folders. A path that exists, is not a pattern, or matches
 * nothing is returned unchanged.
 * @throws {UsageError} if too many files match
 */
export function resolvePattern(path: string): string {
  return atOnce(resolvingPattern(path));
}

/** Does what `resolvePattern()` does, and yields after every folder. */
export function* resolvingPattern(path: string): Generator<void, string> {
  if (!isPattern(path) || isThere(path)) return path;
  const parts: string[][] = [];
  for (const part of alternatives(path)) parts.push(yield* matches(part));
  if (parts.some((files) => files.length === 0)) return path;
  const files = [...new Set(parts.flat())].sort();
  if (files.length === 1) return files[0]!;
  const { folder, names } = setOf(files);
  const text = `${escapeName(folder === "/" ? "" : folder)}/{${names.map(escapeName).join()}}`;
  const bytes = new TextEncoder().encode(text).length;
  if (files.length <= MAX_FILES && bytes <= MAX_BYTES) return text;
  throw new UsageError(
    `${path} must match at most ${MAX_FILES} files with ${MAX_BYTES} bytes in their names, got ${files.length} with ` +
      `${bytes} (name their folder instead)`,
  );
}

/** Returns the files that `path` names in braces, without listing folders; undefined for any other path. */
export function fileSet(path: string): FileSet | undefined {
  if (!path.includes("{") || isThere(path)) return undefined;
  const parts = alternatives(path);
  if (parts.length === 1 || parts.some(hasWildcard)) return undefined;
  return setOf([...new Set(parts.map(unescape))].sort());
}

/** Returns the paths that `path` names in braces, or `path` itself. */
export function namedPaths(path: string): string[] {
  const set = fileSet(path);
  return set === undefined ? [path] : set.names.map((name) => join(set.folder, name));
}

/** Returns `path` for messages: the first of several files, and the number of the others. */
export function shownPath(path: string): string {
  const [first, ...more] = namedPaths(path) as [string, ...string[]];
  return more.length === 0 ? first : `${first} and ${more.length} more file${more.length === 1 ? "" : "s"}`;
}

/** Returns what of `path` does not exist, for example `not found`; an empty list if all of it exists. */
export function whatIsMissing(path: string): string[] {
  return atOnce(findingMissing(path));
}

/** Does what `whatIsMissing()` does, and yields after every folder and file. */
export function* findingMissing(path: string): Generator<void, string[]> {
  if (!isPattern(path) || isThere(path)) return reasonsMissing(path);
  const parts = alternatives(path), isOne = parts.length === 1, missing: string[] = [];
  for (const part of parts) {
    yield;
    const file = unescape(part);
    if (!hasWildcard(part)) {
      append(missing, reasonsMissing(file).map((reason) => isOne ? reason : `${file} ${reason}`));
    } else if ((yield* matches(part)).length === 0) {
      missing.push(isOne ? "no file matches" : `no file matches ${part}`);
    }
  }
  return missing;
}

function reasonsMissing(path: string): string[] {
  try {
    Deno.statSync(path);
    return [];
  } catch (cause) {
    return [isMissing(cause) ? "not found" : reasonOf(cause)];
  }
}

/**
 * Returns the patterns without braces and without `..` that `path` expands to. Existing folders at its beginning are taken
 * literally.
 * @throws {UsageError} if there are too many
 */
export function alternatives(path: string): string[] {
  for (let end = path.lastIndexOf("/", MAX_PATH); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const folder = path.slice(0, end);
    if (!/[*?[{\\]/.test(folder)) break;
    if (isThere(folder)) return plainParts(escapeName(folder) + path.slice(end));
  }
  return plainParts(path);
}

function plainParts(pattern: string): string[] {
  return expandBraces(pattern).map((part) =>
    normalize(part.replaceAll(/\\(.)/gs, (written, character) => character === "." ? "." : written))
  );
}

/** Returns the files that match a pattern without braces; a path without wildcards matches itself. */
function* matches(pattern: string): Generator<void, string[]> {
  if (!hasWildcard(pattern)) return [unescape(pattern)];
  // `**` at the end stands for the files of all folders.
  const segments = pattern.replace(/\/\*\*$/, "/**/*").split("/");
  const first = segments.findIndex(hasWildcard);
  const folder = unescape(segments.slice(0, first).join("/"));
  const found: string[] = [];
  yield* search(
    folder,
    segments.slice(first).map((it) => it === "**" ? it : namePattern(it)),
    found,
    new Set(),
  );
  return found;
}

/**
 * Adds the matching files below `folder` to `found`. Links to folders are followed where a segment matches their name, but
 * not by `**`, since links may form a cycle.
 * @param seen visited folders with the number of remaining segments, so that several `**` visit no folder twice
 */
function* search(
  folder: string,
  segments: readonly (RegExp | "**")[],
  found: string[],
  seen: Set<string>,
): Generator<void, void> {
  yield;
  const at = `${segments.length}:${folder}`;
  if (seen.has(at)) return;
  seen.add(at);
  const [segment, ...rest] = segments;
  if (segment === "**") yield* search(folder, rest, found, seen);
  for (const entry of entriesOf(folder)) {
    const path = `${folder}/${entry.name}`;
    if (segment === "**") {
      if (entry.isDirectory && !entry.name.startsWith(".")) yield* search(path, segments, found, seen);
    } else if (segment?.test(entry.name)) {
      if (rest.length > 0) yield* search(path, rest, found, seen);
      else if (entry.isFile || entry.isSymlink && leadsToFile(path)) found.push(path);
    }
  }
}

/** Returns the entries of a folder; none if it does not exist. */
function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder === "" ? "/" : folder)];
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw readError(folder, cause);
  }
}

/**
 * Returns all texts that the braces of `pattern` expand to, in order. Unclosed braces and braces without a comma are
 * literal.
 */
function expandBraces(pattern: string): string[] {
  const done: string[] = [];
  let searched = 0;
  const open = [{ before: "", rest: pattern }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const group = firstGroup(next.rest);
    if (group === undefined) done.push(next.before + next.rest);
    else {
      const before = next.before + next.rest.slice(0, group.start), after = next.rest.slice(group.end);
      append(open, group.options.map((option) => ({ before, rest: option + after })).reverse());
    }
    searched += next.rest.length;
    if (done.length + open.length > MAX_FILES || searched > MAX_SEARCHED) {
      throw new UsageError(
        `Braces must expand to at most ${MAX_FILES} names, got more: ${pattern.slice(0, 200)}`,
      );
    }
  }
  return done;
}

/** A pair of braces in a text, and the texts between their commas. */
interface BraceGroup {
  readonly start: number;
  readonly end: number;
  readonly options: readonly string[];
}

/** Returns the first braces with a comma in `text`. */
function firstGroup(text: string): BraceGroup | undefined {
  const opened: { readonly start: number; readonly commas: number[] }[] = [];
  let found: BraceGroup | undefined;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "{") opened.push({ start: i, commas: [] });
    else if (text[i] === ",") opened.at(-1)?.commas.push(i);
    else if (text[i] === "}") {
      const group = opened.pop();
      if (group === undefined || group.commas.length === 0) continue;
      const cuts = [group.start, ...group.commas, i];
      const options = cuts.slice(1).map((cut, k) => text.slice(cuts[k]! + 1, cut));
      // Outer braces begin before inner ones, and close after them.
      if (found === undefined || group.start < found.start) {
        found = { start: group.start, end: i + 1, options };
      }
      if (opened.length === 0) break;
    }
  }
  return found;
}

function hasWildcard(pattern: string): boolean {
  return /[*?[]/.test(pattern.replaceAll(/\\./gs, ""));
}

function escapeName(name: string): string {
  return name.replaceAll(/[*?[\]{},\\]/g, "\\$&");
}

function unescape(pattern: string): string {
  return pattern.replaceAll(/\\(.)/gs, "$1");
}

/** Returns `files` as names within the deepest folder that contains all of them. */
function setOf(files: readonly string[]): FileSet {
  const folders = files.map((file) => file.split("/").slice(0, -1));
  let depth = smallest(folders.map((parts) => parts.length));
  while (folders.some((parts) => parts.slice(0, depth).join("/") !== folders[0]!.slice(0, depth).join("/"))) {
    depth--;
  }
  const folder = folders[0]!.slice(0, depth).join("/");
  return { folder: folder === "" ? "/" : folder, names: files.map((file) => file.slice(folder.length + 1)) };
}

/** Returns whether something exists at `path`; false without the permission to tell. */
function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Returns whether a link leads to a file; false without the permission to tell. */
function leadsToFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
