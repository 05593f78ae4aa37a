/**
 * What the store remembers of an action: what its key is made of, what it wrote, and what its bytes may depend on
 * beside the key.
 * @module
 */
import { z } from "zod";
import type { KeyParts } from "./key.ts";
import type { Tree } from "./tree.ts";

/** Facts of the machine that bytes may depend on; equal bytes are promised where they are equal. */
export interface HostFacts {
  readonly onnxruntime: string;
  readonly provider: string;
  /** the widest vector extension that the processor names, or the architecture */
  readonly instruction_set: string;
  readonly threads: number;
  readonly deno: string;
}

/** One finished action. */
export interface ActionRecord {
  readonly version: 1;
  readonly key: string;
  readonly parts: KeyParts;
  /** file or directory name of each output port, written or not: `scored.arrow`, `policy` */
  readonly names: Readonly<Record<string, string>>;
  /** trees by output port; ports that the stage did not write are left out */
  readonly outputs: Readonly<Record<string, Tree>>;
  /** ports whose large files lived in memory only: their digests are known, their bytes would have to be made again */
  readonly unpublished?: readonly string[];
  /** wall time of the stage */
  readonly seconds: number;
  /** tokens that it worked on in that time, where it told: the last `tokens` among the fields of its progress */
  readonly tokens?: number;
  /** what a person should look at, as the stage told it while it ran, in order; absent: nothing */
  readonly warnings?: readonly string[];
  /** ISO 8601 */
  readonly finished: string;
  readonly host: HostFacts;
}

const treeSchema = z.object({
  kind: z.enum(["file", "directory"]),
  digest: z.string(),
  files: z.record(z.string(), z.object({ digest: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) })),
});

const digests = z.union([z.string(), z.array(z.string()), z.record(z.string(), z.string())]);

const recordSchema = z.object({
  version: z.literal(1),
  key: z.string(),
  parts: z.object({
    stage: z.string(),
    code: z.string(),
    params: z.record(z.string(), z.unknown()),
    inputs: z.record(z.string(), digests),
    seed: z.int().optional(),
    index: z.int().optional(),
    iteration: z.int().optional(),
  }),
  names: z.record(z.string(), z.string().regex(/^[a-z0-9_.]+$/)),
  outputs: z.record(z.string(), treeSchema),
  unpublished: z.array(z.string()).optional(),
  seconds: z.number(),
  tokens: z.number().optional(),
  warnings: z.array(z.string()).optional(),
  finished: z.string(),
  host: z.object({
    onnxruntime: z.string(),
    provider: z.string(),
    instruction_set: z.string(),
    threads: z.int(),
    deno: z.string(),
  }),
});

/** The record in `text`, or undefined where it is not whole or of another version: then the action runs again. */
export function parseRecord(text: string): ActionRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(text)) as ActionRecord;
  } catch {
    return undefined;
  }
}

/** Facts of this machine. @param onnxruntime version of the library */
export function hostFacts(onnxruntime: string, threads: number): HostFacts {
  return {
    onnxruntime,
    provider: "cpu",
    instruction_set: instructionSet(),
    threads,
    deno: Deno.version.deno,
  };
}

function instructionSet(): string {
  let flags: string;
  try {
    flags = /^flags\s*:(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? "";
  } catch {
    // Other systems, or no permission: the architecture is what is known.
    return Deno.build.arch;
  }
  const words = new Set(flags.split(/\s+/));
  const widest = ["amx_bf16", "avx512_vnni", "avx512f", "avx2", "avx"].find((name) => words.has(name));
  return widest ? `${Deno.build.arch} ${widest}` : Deno.build.arch;
}
