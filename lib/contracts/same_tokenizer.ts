/** Token ids mean something under one vocabulary only: files and models that meet must share it. @module */
import { DataError } from "@/lib/tensor/errors.ts";

/**
 * @param digests of vocabularies by what they belong to, the first being the one that counts
 * @throws {DataError} naming everything that has another vocabulary
 */
export function checkSameTokenizer(digests: Readonly<Record<string, string>>): void {
  const entries = Object.entries(digests), [first] = entries;
  const other = entries.filter(([, digest]) => digest !== first![1]);
  if (other.length === 0) return;
  const show = ([name, digest]: readonly [string, string]) => `${name} has ${digest.slice(0, 12)}`;
  throw new DataError(
    `Cannot use ${
      entries.map(([name]) => name).join(" and ")
    } together as their tokenizers must be the same: ` +
      [first!, ...other].map(show).join(", "),
  );
}
