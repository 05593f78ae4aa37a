import { assertEquals, assertThrows } from "@std/assert";
import { exitCodeOf, UsageError } from "@/lib/tensor/errors.ts";
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
  assertEquals(readBenchFlags(["train", "--help"], 6), undefined);
});

Deno.test("all that is wrong with the command line is told at once", () => {
  const args = "train decode --shape 7b --batch 0 --seq 1 --threads two --steps= --fast".split(" ");
  const error = assertThrows(
    () => readBenchFlags(args, 6),
    UsageError,
    'Cannot measure as flags and kinds must be known: there is no flag --fast; "decode" is none of train, generate, ' +
      'iteration; --shape "7b" is none of quickstart, 3m, 15m, 135m; --batch "0" is no whole number of at least 1; ' +
      '--seq "1" is no whole number of at least 2; --threads "two" is no whole number of at least 1; ' +
      '--steps "" is no whole number of at least 1; see --help',
  );
  assertEquals(exitCodeOf(error), 64);
});
