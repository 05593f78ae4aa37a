/**
 * The record of a finished action in the store: the parts of its key, its outputs, and facts of the host that its bytes
 * may depend on beside the key.
 * @module
 */
import { z } from "zod";
import { digestJson } from "@/lib/data/files/digest.ts";
import { keyPartsSchema } from "./key.ts";

const treeSchema = z.object({
  kind: z.enum(["file", "directory"]),
  digest: z.string(),
  files: z.record(z.string(), z.object({ digest: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) })),
});

const hostSchema = z.object({
  onnxruntime: z.string(),
  provider: z.string(),
  /** the widest vector extension that the processor names, or the architecture */
  instruction_set: z.string(),
  threads: z.int(),
  deno: z.string(),
});

const recordSchema = z.object({
  version: z.literal(1),
  key: z.string(),
  parts: keyPartsSchema,
  /** file or directory name of each output port, written or not: `scored.arrow`, `policy` */
  names: z.record(z.string(), z.string().regex(/^[a-z0-9_.]+$/)),
  /** trees by output port; ports that the stage did not write are left out */
  outputs: z.record(z.string(), treeSchema),
  /** ports with large files that were in memory only: their digests are known, their bytes must be recomputed */
  unpublished: z.array(z.string()).readonly().exactOptional(),
  /** wall time of the stage */
  seconds: z.number(),
  /** tokens processed in that time, if reported: the last `tokens` among the fields of the stage's progress */
  tokens: z.number().exactOptional(),
  /** warnings of the stage, in order; absent: none */
  warnings: z.array(z.string()).readonly().exactOptional(),
  /** ISO 8601 */
  finished: z.string(),
  host: hostSchema,
});

/** Facts of the machine that bytes may depend on; equal bytes are promised where these are equal. */
export type HostFacts = Readonly<z.output<typeof hostSchema>>;

/** One finished action. */
export type ActionRecord = Readonly<z.output<typeof recordSchema>>;

/** Returns the text of a record: JSON with a checksum of all other fields. */
export function recordText(record: ActionRecord): string {
  const check = checksum(record);
  return `${JSON.stringify({ ...record, check }, null, 1)}\n`;
}

/**
 * Returns the record in `text`; undefined if it is incomplete, damaged or has another version, so that the action runs
 * again. Records of earlier versions have no checksum.
 */
export function parseRecord(text: string): ActionRecord | undefined {
  try {
    const { check, ...fields } = JSON.parse(text);
    const record = recordSchema.parse(fields);
    return check === undefined || check === checksum(fields) ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the digest of a record's fields as JSON has them. */
function checksum(fields: object): string {
  return digestJson(JSON.parse(JSON.stringify(fields)));
}

/** Returns facts of this machine. @param onnxruntime version of the library @param device that computes */
export function hostFacts(onnxruntime: string, threads: number, device = "cpu"): HostFacts {
  return {
    onnxruntime,
    provider: device,
    instruction_set: instructionSet(),
    threads,
    deno: Deno.version.deno,
  };
}

/** Returns a warning if a result is from another kind of machine, as its last bits may differ from those of this one. */
export function hostWarning({ host }: ActionRecord, here: HostFacts): string | undefined {
  const { instruction_set: set, provider } = host;
  if (set === here.instruction_set && provider === here.provider) return undefined;
  return `some results come from another machine (${set}, ${provider}): bytes may differ from this machine's`;
}

function instructionSet(): string {
  let flags: string;
  try {
    flags = /^flags\s*:(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? "";
  } catch {
    // Another system, or no permission: only the architecture is known.
    return Deno.build.arch;
  }
  const words = new Set(flags.split(/\s+/));
  const widest = ["amx_bf16", "avx512_vnni", "avx512f", "avx2", "avx"].find((name) => words.has(name));
  return widest ? `${Deno.build.arch} ${widest}` : Deno.build.arch;
}
