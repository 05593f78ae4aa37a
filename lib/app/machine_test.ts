import { assertEquals } from "@std/assert";
import { coreLimit, memoryLimit, readCpuInfo, spellBytes } from "./machine.ts";

Deno.test("readCpuInfo() finds the instruction sets of x86 and of arm", () => {
  const x86 =
    "processor\t: 0\nmodel name\t: AMD EPYC 7B13\nflags\t\t: fpu sse4_1 avx fma avx2 f16c avx512fake\n\nprocessor\t: 1\n";
  assertEquals(readCpuInfo(x86), { model: "AMD EPYC 7B13", sets: ["sse4_1", "avx", "f16c", "fma", "avx2"] });
  const arm = "processor\t: 0\nFeatures\t: fp asimd asimddp bf16\nCPU implementer\t: 0x41\n";
  assertEquals(readCpuInfo(arm), { model: "0x41", sets: ["asimd", "asimddp", "bf16"] });
  assertEquals(readCpuInfo(""), { model: "unknown processor", sets: [] });
});

Deno.test("coreLimit() reads the quotas of both versions of control groups", () => {
  assertEquals(coreLimit({ cpuMax: "150000 100000\n" }), 1.5);
  assertEquals(coreLimit({ cpuMax: "max 100000\n" }), undefined);
  assertEquals(coreLimit({ quota: "200000\n", period: "100000\n" }), 2);
  assertEquals(coreLimit({ quota: "-1\n", period: "100000\n" }), undefined);
  assertEquals(coreLimit({}), undefined);
});

Deno.test("memoryLimit() knows both ways to write that there is none", () => {
  assertEquals(memoryLimit("536870912\n"), 536870912);
  assertEquals(memoryLimit("max\n"), undefined);
  assertEquals(memoryLimit("9223372036854771712\n"), undefined);
  assertEquals(memoryLimit(undefined), undefined);
});

Deno.test("spellBytes() uses powers of ten", () => {
  assertEquals([1.54e9, 999.6e6, 0].map(spellBytes), ["1.5 GB", "1000 MB", "0 MB"]);
});
