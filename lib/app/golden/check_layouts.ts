/** Demonstrations in every format and layout against the rows that must come out, verbatim. @module */
import { join } from "node:path";
import { LAYOUTS } from "@/lib/demonstrations/layouts.ts";
import { readDemonstrations, type RowFields } from "@/lib/demonstrations/user_rows.ts";
import { canonicalJson } from "@/lib/files/canonical_json.ts";
import { readJsonl } from "@/lib/files/jsonl.ts";
import { isJsonObject } from "@/lib/files/strict_json.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { type Bar, type CheckLine, tally } from "./tally.ts";

const SEEN: Bar = { check: "rows, layout seen", measure: "differences", bar: 0 };
const NAMED: Bar = { check: "rows, layout named", measure: "differences", bar: 0 };

/** A file of a golden, as files.jsonl describes it. */
interface LayoutFile {
  readonly file: string;
  readonly fields: Partial<RowFields> & Pick<RowFields, "layout">;
}

/**
 * Checks a folder with files.jsonl and expected.jsonl: every file is read twice, once with its layout detected and once
 * with it named, and every row is compared. A file that is refused fails both checks.
 * @throws {DataError} if a line of files.jsonl names no file, no known layout, or no columns that are texts
 */
export async function checkLayouts(directory: string): Promise<CheckLine[]> {
  const list = join(directory, "files.jsonl");
  const files = readJsonl(list).map(({ line, value }) => layoutFile(value, `line ${line}`, list));
  const expected = Map.groupBy(
    readJsonl(join(directory, "expected.jsonl")).map(({ value }) => value),
    ({ file }) => file,
  );
  const checks = tally();
  checks.expect(SEEN);
  checks.expect(NAMED);
  for (const { file, fields } of files) {
    const wanted = (expected.get(file) ?? []).map(({ messages, text }) => canonicalJson(messages ?? text));
    for (const [bar, layout] of [[SEEN, "auto"], [NAMED, fields.layout]] as const) {
      if (wanted.length === 0) checks.fail(bar, `${file}: expected.jsonl has no row of it`);
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

function layoutFile(value: Readonly<Record<string, unknown>>, at: string, list: string): LayoutFile {
  const { file, layout, columns } = value;
  const known = LAYOUTS.find((name) => name === layout);
  const names = isJsonObject(columns) ? columns : {};
  const { prompt = "", response = "" } = names;
  if (
    typeof file === "string" && known !== undefined && typeof prompt === "string" &&
    typeof response === "string"
  ) {
    return {
      file,
      fields: { layout: known, prompt_field: prompt, response_field: response },
    };
  }
  throw new DataError(
    `Cannot read ${list} as every line must have a file, one of the layouts ${
      LAYOUTS.join(", ")
    }, and columns that are ` +
      `texts: ${at} is ${JSON.stringify(value)}`,
    { file: list },
  );
}
