/** Whole text files: UTF-8, strictly, without the byte order mark that some programs write. @module */
import { DataError } from "@/lib/tensor/errors.ts";
import { readWholeFile } from "./whole_file.ts";

/**
 * The text of a file.
 * @param kind what the file must be, for messages
 * @throws {DataError} if it is not there, or not UTF-8
 */
export function readUtf8(path: string, kind: string): string {
  const bytes = readWholeFile(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    throw new DataError(
      `Cannot read ${path} as it must be ${kind} in UTF-8: ${isUtf16 ? "it is UTF-16" : "its bytes are not"}`,
      { file: path },
      { cause },
    );
  }
}
