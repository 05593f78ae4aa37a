/**
 * Patterns for files: `data/*.jsonl`, `data/**\/*.parquet`, `{train,extra}-[0-9]*.csv`. In: an absolute path that may be a
 * pattern. Out: the files that it stands for, sorted. What exists under its literal name is never read as a pattern.
 *
 * `*` and `?` match within a name, `[a-z]` and `[!a-z]` one character, a segment `**` any number of folders, `{a,b}` each of
 * its alternatives, and `\` takes the next character as it is. Names that begin with a dot are matched by a dot alone.
 * Every alternative of braces must be there: nobody names what may be missing.
 * @module
 */
import { join, normalize } from "node:path";
import { UsageError } from "@/lib/tensor/errors.ts";
import { readError } from "./file_errors.ts";
import { compileName, isMatch, type NamePattern } from "./name_pattern.ts";

/** Files below one folder, as a pattern names them. */
export interface FileSet {
  /** the folder that all of them are below, absolute */
  readonly folder: string;
  /** paths within it, sorted */
  readonly names: readonly string[];
}

/** The most files that a pattern may stand for. */
const MOST_FILES = 5000;
/** The most bytes of their names: they pass on command lines, where Linux takes 128 KiB in one argument. */
const MOST_BYTES = 120_000;
/** No system opens longer ones. */
const LONGEST_PATH = 4096;

/** Whether `path` has one of the characters that make a pattern. */
export function isPattern(path: string): boolean {
  return /[*?[{]/.test(path);
}

/**
 * `path` without wildcards: the file that matches, or all of them as names in braces (`/data/{a.jsonl,b.jsonl}`), which
 * whoever may read these files alone can take apart again. What exists, is no pattern, or matches nothing stays as it is.
 * @throws {UsageError} if more files match than can be named
 */
export function resolvePattern(path: string): string {
  if (!isPattern(path) || isThere(path)) return path;
  const parts = alternatives(path).map(matches);
  if (parts.some((files) => files.length === 0)) return path;
  const files = [...new Set(parts.flat())].sort();
  if (files.length === 1) return files[0]!;
  const { folder, names } = setOf(files);
  const text = `${escapeName(folder === "/" ? "" : folder)}/{${names.map(escapeName).join()}}`;
  const bytes = new TextEncoder().encode(text).length;
  if (files.length <= MOST_FILES && bytes <= MOST_BYTES) return text;
  throw new UsageError(
    `Cannot use ${path} as a pattern must match at most ${MOST_FILES} files with ${MOST_BYTES} bytes in their names ` +
      `(or name their folder): it matches ${files.length} with ${bytes}`,
  );
}

/** The files that `path` names in braces, without a look at folders; undefined for any other path. */
export function fileSet(path: string): FileSet | undefined {
  if (!path.includes("{") || isThere(path)) return undefined;
  const parts = alternatives(path);
  if (parts.length === 1 || parts.some(hasWildcard)) return undefined;
  return setOf([...new Set(parts.map(unescape))].sort());
}

/** The paths that `path` stands for: those that it names in braces, or itself. */
export function namedPaths(path: string): string[] {
  const set = fileSet(path);
  return set === undefined ? [path] : set.names.map((name) => join(set.folder, name));
}

/** `path` for messages: of several files the first, and how many there are beside it. */
export function shownPath(path: string): string {
  const [first, ...more] = namedPaths(path) as [string, ...string[]];
  return more.length === 0 ? first : `${first} and ${more.length} more file${more.length === 1 ? "" : "s"}`;
}

/** What of `path` is not there, in words, such as `not found`; empty if all of it is. */
export function whatIsMissing(path: string): string[] {
  if (!isPattern(path) || isThere(path)) return reasonsMissing(path);
  const parts = alternatives(path);
  return parts.flatMap((part) => {
    const file = unescape(part), isOne = parts.length === 1;
    if (!hasWildcard(part)) return reasonsMissing(file).map((reason) => isOne ? reason : `${file} ${reason}`);
    return matches(part).length > 0 ? [] : [isOne ? "no file matches" : `no file matches ${part}`];
  });
}

function reasonsMissing(path: string): string[] {
  try {
    Deno.statSync(path);
    return [];
  } catch (error) {
    return [error instanceof Deno.errors.NotFound ? "not found" : (error as Error).message];
  }
}

/**
 * The patterns without braces and without `..` that `path` gives. What exists of its folders is taken by its literal name.
 * @throws {UsageError} if they are too many
 */
export function alternatives(path: string): string[] {
  for (let end = path.lastIndexOf("/", LONGEST_PATH); end > 0; end = path.lastIndexOf("/", end - 1)) {
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

/** The files that a pattern without braces matches; a path without wildcards is its own match. */
function matches(pattern: string): string[] {
  if (!hasWildcard(pattern)) return [unescape(pattern)];
  // Two stars at the end are the files of all folders.
  const segments = pattern.replace(/\/\*\*$/, "/**/*").split("/");
  const first = segments.findIndex(hasWildcard);
  const folder = unescape(segments.slice(0, first).join("/"));
  const found: string[] = [];
  search(folder, segments.slice(first).map((it) => it === "**" ? it : compileName(it)), found, new Set());
  return found;
}

/**
 * Adds the files below `folder` that match. Linked folders are entered where a segment names or matches them, and not by
 * `**`, as links may form a circle.
 * @param seen folders with the number of segments left, so that several `**` visit none twice
 */
function search(
  folder: string,
  segments: readonly (NamePattern | "**")[],
  found: string[],
  seen: Set<string>,
): void {
  const at = `${segments.length}:${folder}`;
  if (seen.has(at)) return;
  seen.add(at);
  const [segment, ...rest] = segments;
  if (segment === "**") search(folder, rest, found, seen);
  for (const entry of entriesOf(folder)) {
    const path = `${folder}/${entry.name}`;
    if (segment === "**") {
      if (entry.isDirectory && !entry.name.startsWith(".")) search(path, segments, found, seen);
    } else if (segment !== undefined && isMatch(segment, entry.name)) {
      if (rest.length > 0) search(path, rest, found, seen);
      else if (entry.isFile || entry.isSymlink && isFile(path)) found.push(path);
    }
  }
}

/** Entries of a folder; none where there is no such folder. */
function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder === "" ? "/" : folder)];
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) return [];
    throw readError(folder, cause);
  }
}

/**
 * All texts that the braces of `pattern` give, in order. Braces without a comma, and those that are not closed, stay as they
 * are, which a later look takes for plain characters.
 */
function expandBraces(pattern: string): string[] {
  const done: string[] = [];
  const open = [{ before: "", rest: pattern }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const group = firstGroup(next.rest);
    if (group === undefined) done.push(next.before + next.rest);
    else {
      const before = next.before + next.rest.slice(0, group.start), after = next.rest.slice(group.end);
      open.push(...group.options.map((option) => ({ before, rest: option + after })).reverse());
    }
    if (done.length + open.length > MOST_FILES) {
      throw new UsageError(
        `Cannot use ${
          pattern.slice(0, 200)
        } as its braces must give at most ${MOST_FILES} names: they give more`,
      );
    }
  }
  return done;
}

/** The first braces with a comma in `text`: where they stand and what is between the commas. */
function firstGroup(
  text: string,
): { readonly start: number; readonly end: number; readonly options: readonly string[] } | undefined {
  const opened: { readonly start: number; readonly commas: number[] }[] = [];
  let found:
    | { readonly start: number; readonly end: number; readonly options: readonly string[] }
    | undefined;
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

/** `files` as names within the deepest folder that holds all of them. */
function setOf(files: readonly string[]): FileSet {
  const folders = files.map((file) => file.split("/").slice(0, -1));
  let depth = Math.min(...folders.map((parts) => parts.length));
  while (folders.some((parts) => parts.slice(0, depth).join("/") !== folders[0]!.slice(0, depth).join("/"))) {
    depth--;
  }
  const folder = folders[0]!.slice(0, depth).join("/");
  return { folder: folder === "" ? "/" : folder, names: files.map((file) => file.slice(folder.length + 1)) };
}

/** Whether something is at `path`; what may not be looked at is not. */
function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
