/** Reads plain text as documents that are separated by blank lines. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { JsonLine } from "./jsonl.ts";
import { readText } from "./whole_file.ts";

/**
 * Returns the documents of a text file, unchanged, each as a row with the field `text`. Line ends at the end of the file
 * belong to no document.
 * @throws {DataError} if the file is not UTF-8 or has no document
 */
export function readTextDocuments(path: string): JsonLine[] {
  const documents: JsonLine[] = [];
  let line = 1;
  for (const [k, part] of readText(path).split(/((?:\r?\n[ \t]*)*\r?\n[ \t]*\r?\n|(?:\r?\n)+$)/).entries()) {
    if (k % 2 === 0 && part.trim() !== "") documents.push({ line, value: { text: part } });
    line += part.split("\n").length - 1;
  }
  if (documents.length > 0) return documents;
  throw new DataError(`${path} must hold documents separated by blank lines, got none`, { file: path });
}
