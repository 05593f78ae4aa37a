/** Checks that files and models that are used together have one tokenizer: token ids have no meaning without it. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";

/**
 * Checks that all digests equal the first one.
 * @param digests of tokenizers, by the name of the file or model
 * @throws {DataError} naming everything that has another tokenizer
 */
export function checkSameTokenizer(digests: Readonly<Record<string, string>>): void {
  const entries = Object.entries(digests), [first] = entries;
  const others = entries.filter(([, digest]) => digest !== first![1]);
  if (others.length === 0) return;
  const names = entries.map(([name]) => name);
  const found = [first!, ...others].map(([name, digest]) => `${digest.slice(0, 12)} (${name})`);
  throw new DataError(
    `${names.slice(0, -1).join(", ")} and ${names.at(-1)} must have the same tokenizer, got ${
      found.join(", ")
    }`,
  );
}
