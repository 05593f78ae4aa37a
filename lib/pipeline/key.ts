/**
 * The key of an action: a digest of all that its bytes follow from, and of nothing else. No time, path, host, thread
 * count or attempt enters.
 * @module
 */
import { digestJson } from "@/lib/files/digest.ts";

/** Digest(s) given to one input port: one, an ordered list, or by name. Ports that are not given are left out. */
export type InputDigest = string | readonly string[] | Readonly<Record<string, string>>;

/** What a key is made of. */
export interface KeyParts {
  /** stage id */
  readonly stage: string;
  /** digest of the stage's module graph, its lock entries and ONNX Runtime's version */
  readonly code: string;
  /** all parameters, defaults filled in */
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, InputDigest>>;
  /** seed, copy and round: only of stages that draw random numbers */
  readonly seed?: number;
  readonly index?: number;
  readonly iteration?: number;
}

/** SHA-256 of the canonical JSON of `parts`. */
export function actionKey(parts: KeyParts): string {
  return digestJson({ version: 1, ...parts });
}
