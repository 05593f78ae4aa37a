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
