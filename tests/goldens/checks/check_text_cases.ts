/** A tokenizer's ids and texts against those of the Rust library, and a chat template's against those of transformers. @module */
import { dirname, join } from "node:path";
import { readJsonObject } from "@/lib/data/files/json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { type ChatCase, compareChatCases } from "@/tests/goldens/checks/chat_cases.ts";
import { compareCases, type TokenizerCases } from "@/tests/goldens/checks/golden_cases.ts";
import { tokenizerOf } from "@/lib/data/text/tokenizer.ts";
import { absolute, type CheckLine, tally } from "./tally.ts";

const TOKENIZER_FIELDS = [
  "ids",
  "ids_without_special",
  "decoded",
  "decoded_skip_special",
  "decoded_without_special",
  "stream",
];
const CHAT_FIELDS = ["text", "ids", "assistant_mask", "error"];

/**
 * Checks a directory with cases.json, which names its tokenizer.
 * @throws {DataError} if a file cannot be read
 */
export async function checkTokenizer(directory: string): Promise<CheckLine[]> {
  const { path, json } = readCases(directory, {
    tokenizer: isText,
    cases: Array.isArray,
    decode: Array.isArray,
  });
  const file = join(dirname(path), json.tokenizer as string);
  const tokenizer = tokenizerOf(readJsonObject(file), { file, digest: "", files: { dir: dirname(file) } });
  const differences = await compareCases(tokenizer, json as unknown as TokenizerCases);
  return linesOf(
    TOKENIZER_FIELDS,
    differences.map(({ field, input }) => ({ field, what: JSON.stringify(input) })),
  );
}

/**
 * Checks a directory with a tokenizer, its chat template and cases.json.
 * @throws {DataError} if a file cannot be read
 */
export async function checkChatTemplate(directory: string): Promise<CheckLine[]> {
  const { json } = readCases(directory, { cases: Array.isArray });
  const differences = await compareChatCases(directory, json.cases as readonly ChatCase[]);
  return linesOf(CHAT_FIELDS, differences.map(({ field, id }) => ({ field, what: id })));
}

function readCases(
  directory: string,
  fields: Readonly<Record<string, (value: unknown) => boolean>>,
): { readonly path: string; readonly json: Readonly<Record<string, unknown>> } {
  const path = join(directory, "cases.json"), json = readJsonObject(path);
  const bad = Object.entries(fields).filter(([name, isValid]) => !isValid(json[name])).map(([name]) => name);
  if (bad.length === 0) return { path, json };
  throw new DataError(`${path}: missing or invalid ${bad.join(", ")}`, { file: path });
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

/** Returns a line per field: the number of cases that differ, and the first of them. */
function linesOf(
  fields: readonly string[],
  differences: readonly { readonly field: string; readonly what: string }[],
): CheckLine[] {
  const checks = tally();
  for (const field of fields) {
    const different = differences.filter((difference) => difference.field === field).map(({ what }) => what);
    const shown = listed(different, { most: 3, separator: ", " });
    checks.compare(absolute(`cases: ${field}`, 0), shown, [different.length], [0]);
  }
  return checks.lines();
}
