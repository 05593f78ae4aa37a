/**
 * The split into training and validation by prompt. It depends on the prompt, the seed and the fraction only, so all
 * demonstrations of a prompt are on the same side.
 * @module
 */
import { digestBytes } from "@/lib/data/files/digest.ts";

/** Returns a number in [0, 1): the first 48 bits of SHA-256 of `<seed>\n<prompt>`. */
export function splitPoint(prompt: string, seed: number): number {
  return parseInt(digestBytes(`${seed}\n${prompt}`).slice(0, 12), 16) / 2 ** 48;
}

/** The fraction for validation_fraction null. */
export const DEFAULT_FRACTION = 0.05;

/** Returns `fraction`, or more if that is needed to hold out one of `prompts`; 0 stays 0. */
export function sufficientFraction(fraction: number, prompts: readonly string[], seed: number): number {
  if (fraction === 0) return 0;
  const least = prompts.reduce((point, prompt) => Math.min(point, splitPoint(prompt, seed)), 1);
  // A fraction holds out points below it, so it must be the next number after the least point.
  return Math.max(fraction, least + 2 ** -48);
}

/** Returns whether `prompt` is held out with `fraction`. A larger fraction holds out these prompts and more. */
export function isValidation(prompt: string, seed: number, fraction: number): boolean {
  return splitPoint(prompt, seed) < fraction;
}

/** The least number of demonstrations from which an audit's reward can be learned. */
export const LEAST_AUDIT_ROWS = 32;
/** With fewer demonstrations, none are set aside: SFT would lose more than a fifth of them. */
export const LEAST_ROWS_WITH_AUDIT = 160;

/**
 * Returns the keys that are set aside: those with the smallest SHA-256 of `<label>\n<seed>\n<key>`, until `least` rows have
 * one of them. The order of `keys` does not matter.
 * @param keys one for each row; rows with the same key stay together
 */
export function keysSetAside(
  keys: readonly string[],
  { label, seed, least }: { readonly label: string; readonly seed: number; readonly least: number },
): ReadonlySet<string> {
  const rowsOf = new Map<string, number>();
  for (const key of keys) rowsOf.set(key, (rowsOf.get(key) ?? 0) + 1);
  const ranked = [...rowsOf].map(([key, rows]) => ({
    key,
    rows,
    rank: digestBytes(`${label}\n${seed}\n${key}`),
  }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const taken = new Set<string>();
  let rows = 0;
  for (const one of ranked) {
    if (rows >= least) break;
    taken.add(one.key);
    rows += one.rows;
  }
  return taken;
}
