/** Demonstrations in every format and layout against the expected rows. @module */
import { join } from "node:path";
import { z } from "zod";
import { LAYOUTS } from "@/lib/data/demonstrations/layouts.ts";
import { readDemonstrations, type RowFields } from "@/lib/data/demonstrations/user_rows.ts";
import { canonicalJson } from "@/lib/data/files/canonical_json.ts";
import { readJsonl } from "@/lib/data/files/jsonl.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { type Bar, type CheckLine, tally } from "./tally.ts";

const DETECTED: Bar = { check: "rows, layout detected", measure: "differences", bar: 0 };
const NAMED: Bar = { check: "rows, layout given", measure: "differences", bar: 0 };

/** A line of files.jsonl. */
const LayoutFile = z.object({
  file: z.string(),
  layout: z.enum(LAYOUTS),
  columns: z.object({ prompt: z.string().default(""), response: z.string().default("") }).prefault({}),
});

/**
 * Checks a directory with files.jsonl and expected.jsonl: every file is read twice, with its layout detected and with its
 * layout given, and every row is compared. A file that is refused fails both checks.
 * @throws {DataError} if a line of files.jsonl is invalid
 */
export async function checkLayouts(directory: string): Promise<CheckLine[]> {
  const list = join(directory, "files.jsonl");
  const files = readJsonl(list).map(({ line, value }) => layoutFile(value, line, list));
  const expected = Map.groupBy(
    readJsonl(join(directory, "expected.jsonl")).map(({ value }) => value),
    ({ file }) => file,
  );
  const checks = tally();
  checks.expect(DETECTED);
  checks.expect(NAMED);
  for (const { file, fields } of files) {
    const wanted = (expected.get(file) ?? []).map(({ messages, text }) => canonicalJson(messages ?? text));
    for (const [bar, layout] of [[DETECTED, "auto"], [NAMED, fields.layout]] as const) {
      if (wanted.length === 0) checks.fail(bar, `${file}: expected.jsonl has no row of this file`);
      else await compareRows(bar, file, { ...fields, layout }, wanted);
    }
  }
  return checks.lines();

  async function compareRows(bar: Bar, file: string, fields: Partial<RowFields>, wanted: readonly string[]) {
    try {
      const { rows } = await readDemonstrations([join(directory, file)], fields);
      const found = rows.map(({ content }) =>
        canonicalJson(content.kind === "chat" ? content.messages : content.text)
      );
      const equal = Array.from(found, (row, k) => Number(row === wanted[k]));
      checks.compare(bar, file, equal, new Array(wanted.length).fill(1));
    } catch (error) {
      checks.fail(bar, `${file}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

function layoutFile(
  value: unknown,
  line: number,
  list: string,
): { file: string; fields: Partial<RowFields> & Pick<RowFields, "layout"> } {
  const parsed = LayoutFile.safeParse(value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new DataError(`${list}:${line}: ${listed(problems)}`, { file: list, line });
  }
  const { file, layout, columns } = parsed.data;
  const fields = { layout, prompt_field: columns.prompt, response_field: columns.response };
  return { file, fields };
}
