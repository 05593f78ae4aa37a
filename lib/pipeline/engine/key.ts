/**
 * The key of an action: a digest of everything that determines its bytes, and of nothing else. Time, paths, host, number
 * of threads and attempts are not part of it.
 * @module
 */
import { z } from "zod";
import { digestJson } from "@/lib/data/files/digest.ts";

const inputDigest = z.union([
  z.string(),
  z.array(z.string()).readonly(),
  z.record(z.string(), z.string()),
]);

/** Schema of {@linkcode KeyParts}, as records in the store hold them. */
export const keyPartsSchema = z.object({
  /** stage id */
  stage: z.string(),
  /** digest of the stage's module graph, its lock entries and ONNX Runtime's version */
  code: z.string(),
  /** all parameters, defaults filled in */
  params: z.record(z.string(), z.unknown()),
  /** by port; ports that are not given are left out */
  inputs: z.record(z.string(), inputDigest),
  /** seed, copy and iteration: only for stages that draw random numbers */
  seed: z.int().exactOptional(),
  index: z.int().exactOptional(),
  iteration: z.int().exactOptional(),
});

/** Digests given to one input port: one, an ordered list, or by name. */
export type InputDigest = z.output<typeof inputDigest>;

/** The parts of a key. */
export type KeyParts = Readonly<z.output<typeof keyPartsSchema>>;

/** Returns the SHA-256 of the canonical JSON of `parts`. */
export function actionKey(parts: KeyParts): string {
  return digestJson({ version: 1, ...parts });
}

/**
 * Returns the seed of a stage: hash(run seed, label, index) as a non-negative safe integer (the first 53 bits of SHA-256
 * over canonical JSON). The blocks around a stage are not part of it, so wrapping a stage in a block changes nothing; the
 * iteration goes into the random counter instead.
 * @param index number of the copy within a `foreach`; 0 outside
 */
export function stageSeed(runSeed: number, label: string, index = 0): number {
  return Number(BigInt(`0x${digestJson([runSeed, label, index]).slice(0, 16)}`) >> 11n);
}
