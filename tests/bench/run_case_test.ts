import { assert, assertEquals } from "@std/assert";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { type CaseSpec, type Kind, KINDS } from "./bench_case.ts";
import { tableHead, tableLine } from "./record.ts";
import { runCase } from "./run_case.ts";

/** A case that takes a moment: few rows of few tokens, and ceilings that fit. */
async function tinyCase(kind: Kind, profile = false) {
  using directory = new TemporaryDirectory();
  const spec: CaseSpec = {
    kind,
    shape: "quickstart",
    batch: 3,
    length: 8,
    steps: 2,
    threads: navigator.hardwareConcurrency,
  };
  return await runCase(spec, {
    directory: directory.path,
    profile,
    ceilings: { gemmSize: 64, shapes: ["quickstart"] },
  });
}

for (const kind of KINDS) {
  Deno.test(`a tiny ${kind} case records values that agree with one another`, async () => {
    const { record } = await tinyCase(kind);
    assertEquals([record.kind, record.shape, record.batch, record.seq], [kind, "quickstart", 3, 8]);
    assertEquals(record.samples, kind === "generate" ? 2 * 8 : 2);
    const { median, min, max } = record.ms;
    assert(min > 0 && min <= median && median <= max, JSON.stringify(record.ms));
    const tokens = { train: 3 * 8, generate: 3, iteration: 3 * 6 }[kind];
    assertEquals(Math.round(record.tokens_per_second * median / 1000), tokens);
    assert(record.peak_memory_bytes > 2e7, `${record.peak_memory_bytes}`);
    assertEquals(Object.keys(record.ceilings), ["gemm_gflops", "matvec_quickstart_ms"]);
    assertEquals(record.ratios.gemm, record.gflops / record.ceilings.gemm_gflops!);
    assertEquals(
      record.ratios.matvec,
      kind === "generate" ? record.ceilings.matvec_quickstart_ms! / median : undefined,
    );
    assertEquals(record.details.parameters, 260032);
    assertEquals(tableLine(record).startsWith(`${kind} quickstart B 3 T 8 `), true);
    assertEquals(tableHead().startsWith("case "), true);
  });
}

Deno.test("an iteration records the time of each stage", async () => {
  const { record } = await tinyCase("iteration");
  const stages = record.details.stages_ms as Record<string, { median: number }>;
  assertEquals(Object.keys(stages), ["rollout", "score", "ppo-update"]);
  assertEquals([record.details.prompt_length, record.details.response_length], [2, 6]);
});

Deno.test("a profile lists operators with their shapes, the most expensive first, and not those of the ceilings", async () => {
  const { profile } = await tinyCase("generate", true);
  assert(profile!.length > 5 && profile!.length <= 20, `${profile!.length}`);
  const ms = profile!.map((line) => line.ms);
  assertEquals(ms, [...ms].sort((a, b) => b - a));
  assert(profile!.some(({ operator }) => operator === "GroupQueryAttention"));
  assertEquals(profile!.some(({ inputs }) => inputs.includes("[64,64] f32[64,64]")), false);
  assert(profile!.reduce((sum, { share }) => sum + share, 0) <= 1 + 1e-9);
});
