/**
 * Seeds of stages from the seed of the run. The path of blocks around a stage is no part of it, so that wrapping a stage
 * in a block changes nothing; neither is the round, which goes into the random counter instead.
 * @module
 */
import { digestJson } from "@/lib/files/digest.ts";

/**
 * hash(run seed, label, index) as a non-negative safe integer (the first 53 bits of SHA-256 over canonical JSON).
 * @param index number of the copy within a `foreach`; 0 outside
 */
export function stageSeed(runSeed: number, label: string, index = 0): number {
  return Number(BigInt(`0x${digestJson([runSeed, label, index]).slice(0, 16)}`) >> 11n);
}
