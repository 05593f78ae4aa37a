/** A chat template's texts, ids, assistant masks and errors against those of transformers. @module */
import { join } from "node:path";
import { readJsonObject } from "@/lib/files/json.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { type ChatCase, compareChatCases } from "@/lib/text/chat_cases.ts";
import { type Bar, type CheckLine, tally } from "./tally.ts";

const FIELDS = ["text", "ids", "assistant_mask", "error"];

/**
 * Checks a folder with a tokenizer, its chat template and cases.json.
 * @throws {DataError} if a file cannot be read
 */
export async function checkChatTemplate(directory: string): Promise<CheckLine[]> {
  const path = join(directory, "cases.json"), { cases } = readJsonObject(path);
  if (!Array.isArray(cases)) {
    throw new DataError(`Cannot read ${path} as it must hold a list "cases": it is ${typeof cases}`, {
      file: path,
    });
  }
  const differences = await compareChatCases(directory, cases as readonly ChatCase[]);
  const checks = tally();
  for (const field of FIELDS) {
    const bar: Bar = { check: `cases: ${field}`, measure: "absolute", bar: 0 };
    const names = differences.filter((difference) => difference.field === field).map(({ id }) => id);
    checks.compare(bar, names.slice(0, 3).join(", ") + (names.length > 3 ? ", …" : ""), [names.length], [0]);
  }
  return checks.lines();
}
