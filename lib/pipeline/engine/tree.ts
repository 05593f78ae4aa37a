/**
 * A value of a pipeline as the store sees it: a file, or a directory as a tree of files, by digest.
 * @module
 */
import { isMissing } from "@/lib/data/files/paths.ts";
import { digestDirectory, digestFile, digestFiles, type FileDigest } from "@/lib/data/files/digest.ts";
import { fileSet } from "@/lib/data/files/file_pattern.ts";

/** A file or directory by content. A file is a tree whose only path is the empty one. */
export interface Tree {
  readonly kind: "file" | "directory";
  readonly digest: string;
  readonly files: Readonly<Record<string, FileDigest>>;
}

/**
 * Reads and digests the file or directory at `path`. Files that it names in braces are read as a directory that holds
 * nothing else.
 * @param known digests of files of a directory that need not be on disk
 * @throws {DataError} if it cannot be read
 */
export function readTree(path: string, known: Readonly<Record<string, FileDigest>> = {}): Tree {
  const set = fileSet(path);
  if (set !== undefined) return { kind: "directory", ...digestFiles(set.folder, set.names) };
  if (Deno.statSync(path).isDirectory) return { kind: "directory", ...digestDirectory(path, known) };
  const digest = digestFile(path);
  return { kind: "file", digest, files: { "": { digest, size: Deno.statSync(path).size } } };
}

/** Returns the bytes of all files. */
export function treeBytes(tree: Tree): number {
  return Object.values(tree.files).reduce((sum, file) => sum + file.size, 0);
}

/** Returns the path of a tree's file `path` below `root`. */
export function within(root: string, path: string): string {
  return path === "" ? root : `${root}/${path}`;
}

/** Returns what the system says of `path` itself (a link is not followed); undefined if it does not exist. */
export function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
