/** Tests `differences@1`: rows read back, and an interval has two ends and a width, or none. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { ColumnError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { type DifferenceOfModels, readDifferences, writeDifferences } from "./differences.ts";

const ROW: DifferenceOfModels = {
  model: "srppo",
  against: "sft",
  mode: "greedy",
  metric: "score",
  mean: 0.5,
  low: 0.25,
  high: 0.75,
  n: 4,
  method: "paired",
};

Deno.test("differences read back, with and without an interval", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("d.arrow");
  const rows = [ROW, { ...ROW, low: null, high: null, n: 1 }, { ...ROW, method: "bootstrap" as const }];
  await writeDifferences(path, rows);
  assertEquals(readDifferences(path), rows);
});

Deno.test("an interval of width zero, or with one end, breaks the contract", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("d.arrow");
  for (
    const [change, message] of [
      [{ low: 0.5, high: 0.5 }, 'column "high", row 0 must be greater than low, got 0.5'],
      [{ low: null }, 'column "high", row 0 must be null where low is, and only there, got 0.75'],
    ] as const
  ) {
    const error = await assertRejects(() => writeDifferences(path, [{ ...ROW, ...change }]), ColumnError);
    assertEquals(error.message, `${path} (differences@1): ${message}`);
  }
});
