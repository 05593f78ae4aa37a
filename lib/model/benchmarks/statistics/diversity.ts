/** Diversity of texts: distinct-n and self-BLEU. Words are separated by white space. @module */
import { splitAtSpaces } from "../python/text.ts";

/**
 * Returns the number of distinct n-grams of words divided by the number of n-grams, over all texts together; 0 without any.
 * Source: Li et al. 2016 (arXiv:1510.03055), section 5.1.
 */
export function distinctN(texts: readonly string[], n: number): number {
  const seen = new Set<string>();
  let total = 0;
  for (const text of texts) {
    for (const gram of gramsOf(splitAtSpaces(text), n)) {
      seen.add(gram);
      total++;
    }
  }
  return total === 0 ? 0 : seen.size / total;
}

/**
 * Returns the mean BLEU-4 of every text against all others as references, 0 (all different) to 1 (all equal). Texts without four words
 * use their longest n-grams; a precision of 0 counts as 0.1 matches (NLTK's smoothing method 1 with epsilon 0.1).
 * Source: Zhu et al. 2018 (arXiv:1802.01886), section 3.1.
 * @param texts at most the first 500 are compared, as the work grows with their square
 */
export function selfBleu(texts: readonly string[]): number {
  const words = texts.map(splitAtSpaces).filter((list) => list.length > 0).slice(0, 500);
  if (words.length < 2) return 0;
  const counts = words.map((list) => [1, 2, 3, 4].map((n) => countsOf(gramsOf(list, n))));
  const largest = [0, 1, 2, 3].map((k) => twoLargest(counts.map((byN) => byN[k]!)));
  let sum = 0;
  for (const [i, list] of words.entries()) {
    let logs = 0, orders = 0;
    for (let k = 0; k < Math.min(4, list.length); k++) {
      let matches = 0, total = 0;
      for (const [gram, count] of counts[i]![k]!) {
        const best = largest[k]!.get(gram)!;
        matches += Math.min(count, best.owner === i ? best.second : best.first);
        total += count;
      }
      logs += Math.log((matches === 0 ? 0.1 : matches) / total);
      orders++;
    }
    const closest = closestLength(list.length, words, i);
    const brevity = list.length >= closest ? 1 : Math.exp(1 - closest / list.length);
    sum += brevity * Math.exp(logs / orders);
  }
  return sum / words.length;
}

function gramsOf(words: readonly string[], n: number): string[] {
  return Array.from({ length: Math.max(0, words.length - n + 1) }, (_, i) => words.slice(i, i + n).join(" "));
}

function countsOf(grams: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const gram of grams) counts.set(gram, (counts.get(gram) ?? 0) + 1);
  return counts;
}

/** Returns, for each n-gram, its largest count in a text, that text, and the largest count in the others. */
function twoLargest(texts: readonly ReadonlyMap<string, number>[]) {
  const found = new Map<string, { first: number; second: number; owner: number }>();
  for (const [i, counts] of texts.entries()) {
    for (const [gram, count] of counts) {
      const best = found.get(gram);
      if (!best) found.set(gram, { first: count, second: 0, owner: i });
      else if (count > best.first) found.set(gram, { first: count, second: best.first, owner: i });
      else if (count > best.second) best.second = count;
    }
  }
  return found;
}

/** Returns the length of another text that is closest; of two, the shorter. */
function closestLength(length: number, words: readonly (readonly string[])[], self: number): number {
  let closest = Infinity;
  for (const [i, { length: other }] of words.entries()) {
    if (i === self) continue;
    const distance = Math.abs(other - length), best = Math.abs(closest - length);
    if (distance < best || distance === best && other < closest) closest = other;
  }
  return closest;
}
