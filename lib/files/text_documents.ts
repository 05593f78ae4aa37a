/** Plain text whose documents are separated by blank lines. In: a path. Out: the documents, verbatim. @module */
import { DataError } from "@/lib/tensor/errors.ts";
import { readUtf8 } from "./utf8_file.ts";

/** A document and the line on which it begins, from 1. */
export interface TextDocument {
  readonly line: number;
  readonly text: string;
}

/**
 * The documents of a text file. Line ends at the end of the file belong to none.
 * @throws {DataError} if the file is not UTF-8, or holds no document
 */
export function readTextDocuments(path: string): TextDocument[] {
  const text = readUtf8(path, "text");
  const documents: TextDocument[] = [];
  let line = 1;
  for (const [k, part] of text.split(/((?:\r?\n[ \t]*)*\r?\n[ \t]*\r?\n|(?:\r?\n)+$)/).entries()) {
    if (k % 2 === 0 && part.trim() !== "") documents.push({ line, text: part });
    line += part.split("\n").length - 1;
  }
  if (documents.length > 0) return documents;
  throw new DataError(
    `Cannot read ${path} as it must hold documents, separated by blank lines: it has none`,
    { file: path },
  );
}
