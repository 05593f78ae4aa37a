/** A tokenizer's ids and texts against those of the Rust library. @module */
import { dirname, join } from "node:path";
import { readJsonObject } from "@/lib/files/json.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { compareCases, type TokenizerCases } from "@/lib/text/golden_cases.ts";
import { tokenizerOf } from "@/lib/text/tokenizer.ts";
import { type Bar, type CheckLine, tally } from "./tally.ts";

const FIELDS = [
  "ids",
  "ids_without_special",
  "decoded",
  "decoded_skip_special",
  "decoded_without_special",
  "stream",
];

/**
 * Checks a folder with cases.json, which names its tokenizer.
 * @throws {DataError} if a file cannot be read
 */
export async function checkTokenizer(directory: string): Promise<CheckLine[]> {
  const path = join(directory, "cases.json"), json = readJsonObject(path);
  if (typeof json.tokenizer !== "string" || !Array.isArray(json.cases) || !Array.isArray(json.decode)) {
    throw new DataError(
      `Cannot read ${path} as it must hold tokenizer, cases and decode: it has ${
        Object.keys(json).join(", ")
      }`,
      { file: path },
    );
  }
  const file = join(directory, json.tokenizer);
  const tokenizer = tokenizerOf(readJsonObject(file), { file, digest: "", files: { dir: dirname(file) } });
  const differences = await compareCases(tokenizer, json as unknown as TokenizerCases);
  const checks = tally();
  for (const field of FIELDS) {
    const bar: Bar = { check: `cases: ${field}`, measure: "absolute", bar: 0 };
    const inputs = differences.filter((difference) => difference.field === field).map(({ input }) => input);
    const shown = inputs.slice(0, 3).map((input) => JSON.stringify(input)).join(", ");
    checks.compare(bar, inputs.length > 3 ? `${shown}, …` : shown, [inputs.length], [0]);
  }
  return checks.lines();
}
