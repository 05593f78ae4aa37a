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

/** The fraction for validation_fraction null, if it holds out a prompt. */
const DEFAULT_FRACTION = 0.05;

/** Returns the fraction for validation_fraction null: 0.05, or more if that is needed to hold out one of `prompts`. */
export function automaticFraction(prompts: readonly string[], seed: number): number {
  const least = prompts.reduce((point, prompt) => Math.min(point, splitPoint(prompt, seed)), 1);
  // A fraction holds out points below it, so it must be the next number after the least point.
  return Math.max(DEFAULT_FRACTION, least + 2 ** -48);
}

/** Returns whether `prompt` is held out with `fraction`. A larger fraction holds out these prompts and more. */
export function isValidation(prompt: string, seed: number, fraction: number): boolean {
  return splitPoint(prompt, seed) < fraction;
}
