/**
 * Model hand-over: large files that stages of one process pass on in memory instead of on disk. A stage gives the arrays
 * that a file consists of; a later stage takes them by the path that the file has or would have. Readers copy the arrays or
 * do not modify them.
 * @module
 */
import { join } from "node:path";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { linkTree } from "./publish.ts";
import { writeWholeFile } from "./whole_file.ts";

/** The bytes of a file, in parts. They must not be modified after they are given. */
export interface FileContent {
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  /** bytes of all parts together */
  readonly size: number;
}

/**
 * Gives a file of a directory.
 * @param name the file's name in its directory
 * @returns whether the file must also be written to disk
 */
export type GiveFile = (name: string, content: FileContent) => boolean;

/** The files in memory of a stage's process. */
export interface HandOver {
  /** Returns the content of the file at `path`, if it is in memory. */
  readonly taken: (path: string) => FileContent | undefined;
  /** Returns the names of the files of `directory` that are in memory. */
  readonly names: (directory: string) => readonly string[];
  /** Stores the file at `path` in memory; returns whether it must also be written to disk. */
  readonly give: (path: string, content: FileContent) => boolean;
  /** Drops the files of `directory` that are also on disk; called by the last likely reader. */
  readonly release: (directory: string) => void;
}

/** Returns the `GiveFile` of a directory that will be at `directory` once it is published. */
export function givingTo(handOver: HandOver | undefined, directory: string): GiveFile | undefined {
  return handOver && ((name, content) => handOver.give(join(directory, name), content));
}

/**
 * Links every file of the directory `from` into the new directory `to`, which will be at `final` later; files that are only
 * in memory are given again.
 * @throws as `linkTree()`
 */
export function passOn(from: string, to: string, final: string, handOver: HandOver | undefined): void {
  linkTree(from, to);
  const linked = new Set(Array.from(Deno.readDirSync(to), ({ name }) => name));
  for (const name of handOver?.names(from) ?? []) {
    const content = linked.has(name) ? undefined : handOver!.taken(join(from, name));
    if (content && handOver!.give(join(final, name), content)) writeWholeFile(join(to, name), content.parts);
  }
}

/** Returns the content of a file that consists of `parts`. */
export function fileContent(parts: readonly Uint8Array<ArrayBuffer>[]): FileContent {
  return { parts, size: parts.reduce((sum, { length }) => sum + length, 0) };
}

/**
 * Copies bytes of a file into `into`.
 * @param at offset of the first byte
 * @throws {DataError} if the content ends before `into` is full
 */
export function readContent(path: string, { parts, size }: FileContent, at: number, into: Uint8Array): void {
  if (at + into.length > size) {
    throw new DataError(`${path} changed while it was read: it ends early`, { file: path });
  }
  let begin = 0, filled = 0;
  for (const part of parts) {
    const from = at + filled - begin;
    if (filled < into.length && from < part.length) {
      const piece = part.subarray(from, from + into.length - filled);
      into.set(piece, filled);
      filled += piece.length;
    }
    begin += part.length;
  }
}

/** Returns the part that has exactly the bytes from `begin` to `end`, if there is one. */
export function partAt(
  { parts }: FileContent,
  begin: number,
  end: number,
): Uint8Array<ArrayBuffer> | undefined {
  let at = 0;
  for (const part of parts) {
    if (at === begin && part.length === end - begin) return part;
    at += part.length;
  }
  return undefined;
}
