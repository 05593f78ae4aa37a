/** What the system knows about this process and its processor. @module */
import { readCpuInfo } from "../machine.ts";

/**
 * Most memory that this process ever held, in bytes. Linux counts it (VmHWM); elsewhere it is what is held now.
 */
export function peakMemoryBytes(): number {
  const [, kilobytes] = kernelText(`/proc/${Deno.pid}/status`)?.match(/^VmHWM:\s*(\d+) kB$/m) ?? [];
  return kilobytes === undefined ? Deno.memoryUsage().rss : Number(kilobytes) * 1024;
}

/** The processor's name and instruction sets; empty where the system does not tell. */
export function processor(): { readonly cpu: string; readonly instruction_sets: readonly string[] } {
  const { model, sets } = readCpuInfo(kernelText("/proc/cpuinfo") ?? "");
  return { cpu: model, instruction_sets: sets };
}

/** Text that the kernel makes. Deno itself reads /proc under --allow-all only, so `cat` reads it here. */
function kernelText(path: string): string | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const { success, stdout } = new Deno.Command("cat", { args: [path], stderr: "null" }).outputSync();
  return success ? new TextDecoder().decode(stdout) : undefined;
}
