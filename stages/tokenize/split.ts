/**
 * Which prompts are held back. In: a prompt, the stage's seed, a share. Out: train or validation, for good: neither the
 * order of the rows nor other rows change it, and all demonstrations of a prompt go the same way.
 * @module
 */
import { digestBytes } from "@/lib/files/digest.ts";

/** A number in [0, 1) that (seed, prompt) alone decide: the first 48 bits of SHA-256 of `<seed>\n<prompt>`. */
export function splitPoint(prompt: string, seed: number): number {
  return parseInt(digestBytes(`${seed}\n${prompt}`).slice(0, 12), 16) / 2 ** 48;
}

/** What is held back where the user leaves the share to us. */
const USUAL_SHARE = 0.05;

/** The usual share of `prompts`, or as much as holds one of them back. */
export function usualShare(prompts: readonly string[], seed: number): number {
  const least = prompts.reduce((point, prompt) => Math.min(point, splitPoint(prompt, seed)), 1);
  // The next point, as a share holds back what lies below it.
  return Math.max(USUAL_SHARE, least + 2 ** -48);
}

/** Whether `prompt` is held back when `fraction` of all prompts are. A larger fraction holds back these and more. */
export function isValidation(prompt: string, seed: number, fraction: number): boolean {
  return splitPoint(prompt, seed) < fraction;
}
