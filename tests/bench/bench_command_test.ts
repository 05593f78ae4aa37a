import { assertEquals, assertThrows } from "@std/assert";
import { exitCodeOf, UsageError } from "@/lib/compute/tensor/errors.ts";
import { readBenchFlags } from "./bench_command.ts";

Deno.test("without arguments all kinds are measured at 3m, on all cores", () => {
  const common = { shape: "3m", steps: undefined, threads: 6 } as const;
  assertEquals(readBenchFlags([], 6), {
    cases: [
      { kind: "train", batch: 8, length: 128, ...common },
      { kind: "generate", batch: 1, length: 64, ...common },
      { kind: "iteration", batch: 64, length: 128, ...common },
    ],
    json: false,
    profile: false,
  });
});

Deno.test("flags choose shape, sizes, threads and repetitions", () => {
  const args = "generate --shape 135m --batch 16 --seq 32 --threads 1 --steps 3 --json --profile".split(" ");
  assertEquals(readBenchFlags(args, 6), {
    cases: [{ kind: "generate", shape: "135m", batch: 16, length: 32, threads: 1, steps: 3 }],
    json: true,
    profile: true,
  });
});

Deno.test("all invalid flags are listed at once", () => {
  const args = "train decode --shape 7b --batch 0 --seq 1 --threads two --steps= --fast".split(" ");
  const error = assertThrows(
    () => readBenchFlags(args, 6),
    UsageError,
    "Invalid flags (see --help): unknown flag --fast, known are --json, --profile, --shape, --batch, --seq, --threads, " +
      '--device, --steps, --help, --verbose; unknown case "decode", known are train, generate, iteration; ' +
      '--shape must be one of quickstart, 3m, 15m, 135m, got "7b"; ' +
      '--batch must be an integer ≥ 1, got "0"; --seq must be an integer ≥ 2, got "1"; ' +
      '--threads must be an integer ≥ 1, got "two"; --steps must be an integer ≥ 1, got ""',
  );
  assertEquals(exitCodeOf(error), 64);
});
