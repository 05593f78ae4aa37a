import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { readExperimentFlags } from "./experiment_flags.ts";

function seedsOf(text: string): number | readonly number[] | undefined {
  return readExperimentFlags(["quickstart", "--seeds", text], { workingDirectory: "/", root: "/" }).seeds;
}

Deno.test("--seeds 5001, meant as one seed, does not plan 5,001 of them: both spellings are in the message", () => {
  const { message } = assertThrows(() => seedsOf("5001"), UsageError);
  assertStringIncludes(
    message,
    "--seeds 5001 means 5001 seeds, at most 100 are allowed; for the one seed 5001 write --seeds 5001,",
  );
  assertEquals(seedsOf("5001,"), [5001]);
  assertEquals([seedsOf("100"), seedsOf("0,5001")], [100, [0, 5001]]);
});
