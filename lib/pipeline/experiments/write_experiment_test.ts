import { assertMatch, assertThrows } from "@std/assert";
import { exampleReport } from "@/tests/report/example_report.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { readRunReport } from "./write_experiment.ts";

Deno.test("readRunReport() refuses a report.json of version 1, which had rounds, and names both versions", () => {
  using directory = new TemporaryDirectory();
  const { iterations: rounds, ...rest } = exampleReport();
  directory.write("report.json", JSON.stringify({ ...rest, version: 1, rounds }));
  const { message } = assertThrows(() => readRunReport(directory.path), DataError);
  assertMatch(message, /report\.json, version 3/);
  assertMatch(message, /\/version must be 3, got 1/);
});
