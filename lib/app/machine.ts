/**
 * The machine as Linux describes it in /proc and /sys: instruction sets that matrix kernels use, and the limits of the
 * control group that a container or a batch system set.
 * @module
 */

/** Flags of /proc/cpuinfo that decide which kernels ONNX Runtime chooses, oldest first. */
const INSTRUCTION_SETS = [
  "sse4_1",
  "avx",
  "f16c",
  "fma",
  "avx2",
  "avx512f",
  "avx512_vnni",
  "avx_vnni",
  "avx512_bf16",
  "avx512_fp16",
  "amx_tile",
  "amx_int8",
  "amx_bf16",
  "asimd",
  "asimdhp",
  "asimddp",
  "bf16",
  "i8mm",
  "sve",
] as const;

/** Returns name and instruction sets of the first processor in the text of /proc/cpuinfo. */
export function readCpuInfo(text: string): { readonly model: string; readonly sets: readonly string[] } {
  function field(name: string): string | undefined {
    return text.match(new RegExp(`^${name}\\s*:\\s*(.*)$`, "m"))?.[1];
  }
  const flags = new Set((field("flags") ?? field("Features") ?? "").split(/\s+/));
  return {
    model: field("model name") ?? field("CPU implementer") ?? "unknown processor",
    sets: INSTRUCTION_SETS.filter((set) => flags.has(set)),
  };
}

/**
 * Returns the number of cores that a quota allows: of cgroup 2 (`cpu.max`: "<quota> <period>" or "max <period>") or of cgroup 1
 * (cpu.cfs_quota_us, where -1 is no limit, and cpu.cfs_period_us). Undefined: no limit.
 */
export function coreLimit(texts: {
  readonly cpuMax?: string | undefined;
  readonly quota?: string | undefined;
  readonly period?: string | undefined;
}): number | undefined {
  const [quota, period] = texts.cpuMax?.trim().split(" ") ?? [texts.quota, texts.period];
  const cores = Number(quota) / Number(period);
  return cores > 0 && Number.isFinite(cores) ? cores : undefined;
}

/** Returns the bytes that a control group allows, from the text of `memory.max` or `memory.limit_in_bytes`. Undefined: no limit. */
export function memoryLimit(text: string | undefined): number | undefined {
  const bytes = Number(text?.trim());
  // cgroup 1 writes the largest multiple of a page where there is no limit.
  return bytes > 0 && bytes < 2 ** 60 ? bytes : undefined;
}

/** Returns `bytes` as text: 1.5 GB, 640 MB (powers of ten). */
export function spellBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

/** Returns a file of /proc or /sys. Deno itself reads them only under --allow-all, so `cat` reads them here. */
export function kernelText(path: string): string | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const { success, stdout } = new Deno.Command("cat", { args: [path], clearEnv: true, stderr: "null" })
    .outputSync();
  return success ? new TextDecoder().decode(stdout) : undefined;
}
