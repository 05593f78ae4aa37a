/** Finds benchmark documents that share 13-grams of words with demonstrations: the model may have been trained on them. @module */

/** The length of GPT-3's decontamination (Brown et al. 2020, arXiv:2005.14165, appendix C). */
const LENGTH = 13;

/**
 * Returns the positions of the documents that share a 13-gram with any of the demonstrations. Words are runs of letters and digits, in
 * lower case.
 */
export function sharedDocuments(documents: readonly string[], demonstrations: Iterable<string>): number[] {
  const owners = new Map<string, number[]>();
  for (const [i, text] of documents.entries()) {
    for (const gram of new Set(gramsOf(text))) {
      const known = owners.get(gram);
      if (known) known.push(i);
      else owners.set(gram, [i]);
    }
  }
  const shared = new Set<number>();
  for (const text of demonstrations) {
    for (const gram of gramsOf(text)) for (const i of owners.get(gram) ?? []) shared.add(i);
  }
  return [...shared].sort((a, b) => a - b);
}

function gramsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return Array.from(
    { length: Math.max(0, words.length - LENGTH + 1) },
    (_, i) => words.slice(i, i + LENGTH).join(" "),
  );
}
