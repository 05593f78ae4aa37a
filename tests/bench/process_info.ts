/** Memory and processor of this process. @module */
import { kernelText, readCpuInfo } from "@/lib/app/machine.ts";

/** Returns the peak memory of this process in bytes: VmHWM of Linux, elsewhere the current memory. */
export function peakMemoryBytes(): number {
  const [, kilobytes] = kernelText(`/proc/${Deno.pid}/status`)?.match(/^VmHWM:\s*(\d+) kB$/m) ?? [];
  return kilobytes === undefined ? Deno.memoryUsage().rss : Number(kilobytes) * 1024;
}

/** Returns the processor's name and instruction sets; empty where the system does not provide them. */
export function processor(): { readonly cpu: string; readonly instruction_sets: readonly string[] } {
  const { model, sets } = readCpuInfo(kernelText("/proc/cpuinfo") ?? "");
  return { cpu: model, instruction_sets: sets };
}
