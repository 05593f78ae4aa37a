/**
 * Large files that pass between the stages of one process without the disk: a stage gives away the arrays that a file is
 * made of, a later one reads them by the path at which the file lies, or would lie. Whoever reads copies or only looks.
 * @module
 */
import { join } from "node:path";
import { DataError } from "@/lib/tensor/errors.ts";
import { linkTree } from "./publish.ts";
import { writeWholeFile } from "./whole_file.ts";

/** The bytes of a file, one part after the other. Once given away, nobody writes to them. */
export interface FileContent {
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  /** bytes of all parts */
  readonly size: number;
}

/**
 * Gives a file of a directory away.
 * @param name of the file in its directory
 * @returns whether the file must be written all the same
 */
export type GiveFile = (name: string, content: FileContent) => boolean;

/** What a stage's process holds in memory for it. Without it, files are all there is. */
export interface HandOver {
  /** the content of the file at `path`, if it is in memory */
  readonly taken: (path: string) => FileContent | undefined;
  /** names of the files of `directory` that are in memory */
  readonly names: (directory: string) => readonly string[];
  /** gives away the file that is to lie at `path`; whether it must be written all the same */
  readonly give: (path: string, content: FileContent) => boolean;
  /** the caller has read what lies in `directory`, and nobody else is likely to: what the disk has too leaves memory */
  readonly release: (directory: string) => void;
}

/** The `GiveFile` of a directory that will lie at `directory` once it is published. */
export function givingTo(handOver: HandOver | undefined, directory: string): GiveFile | undefined {
  return handOver && ((name, content) => handOver.give(join(directory, name), content));
}

/**
 * Gives every file of the directory `from` a second name in the new directory `to`, which will lie at `final`; what is in
 * memory alone is given away once more.
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

/** A file made of `parts`. */
export function fileContent(parts: readonly Uint8Array<ArrayBuffer>[]): FileContent {
  return { parts, size: parts.reduce((sum, { length }) => sum + length, 0) };
}

/**
 * Copies bytes of a file.
 * @param at offset of the first one
 * @throws {DataError} if the content ends before `into` is full
 */
export function readContent(path: string, { parts, size }: FileContent, at: number, into: Uint8Array): void {
  if (at + into.length > size) {
    throw new DataError(`Cannot read ${path} as it must not change while it is read: it ends early`, {
      file: path,
    });
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

/** The part that is exactly the bytes from `begin` to `end`, if there is one. */
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
