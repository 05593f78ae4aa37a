/**
 * Reads users' files: demonstrations or prompts, in any format and layout. All bad rows of a file are reported together.
 * @module
 */
import { shownPath } from "@/lib/data/files/file_pattern.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { dataFiles, type DataRows, readDataFile } from "./data_files.ts";
import { type Content, contentOf, kindOf, type Layout, type LayoutColumns, layoutOf } from "./layouts.ts";
import { refuseProblems, type RowProblem } from "./problems.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

/** A row of a user's file. */
export interface UserRow {
  readonly id: string;
  /** number of the line or row in its file, from 1 */
  readonly line: number;
  /** its place for messages: `line 7`, or `row 7 of b.parquet` with several files */
  readonly at: string;
  /** its place for the column `source`: `7`, or `2:7` in the second of several files */
  readonly place: string;
  readonly content: Content;
  /** all fields except the id and those of the content, in the row's order */
  readonly meta: Readonly<Record<string, unknown>>;
}

/** Rows of one or more files, and the name of these files in messages. */
export interface UserRows {
  readonly file: string;
  readonly rows: readonly UserRow[];
}

/** Columns of users' rows, named as the parameters of `tokenize`. */
export interface RowFields {
  /** `auto`: the one that matches the columns */
  readonly layout: Layout | "auto";
  /** "": the layout's column */
  readonly prompt_field: string;
  /** "": the layout's column */
  readonly response_field: string;
  readonly id_field: string;
}

const DEFAULT_FIELDS: RowFields = {
  layout: "auto",
  prompt_field: "",
  response_field: "",
  id_field: "id",
};

/**
 * Returns the demonstrations in `paths`, in their order.
 * @param fields default: the layout that matches the columns, and ids in `id`
 * @param weights how often the rows of each path are repeated; empty: once
 * @throws {DataError} that lists every row without a prompt or response, with an invalid text, or with the id of an earlier
 *   row
 * @throws {UsageError} if there are weights, but not one for each path
 */
export async function readDemonstrations(
  paths: readonly string[],
  fields: Partial<RowFields> = {},
  weights: readonly number[] = [],
): Promise<UserRows> {
  if (weights.length > 0 && weights.length !== paths.length) {
    throw new UsageError(
      `weights must have one number for each of the ${paths.length} paths, got ${weights.length}`,
    );
  }
  const parts: UserRow[] = [];
  const ids = new Map<string, string>();
  for (const [k, path] of paths.entries()) {
    const prefix = paths.length > 1 ? `${k + 1}:` : "";
    const rows = await readRows(path, fields, { isPrompt: false, prefix, ids });
    append(parts, repeated(rows, weights[k] ?? 1));
  }
  return { file: paths.map(shownPath).join(" and "), rows: parts };
}

/** Returns the prompts in `path`; a response is treated as any other field. @throws {DataError} as above */
export async function readUserPrompts(path: string, fields: Partial<RowFields> = {}): Promise<UserRows> {
  const rows = await readRows(path, fields, { isPrompt: true, prefix: "", ids: new Map() });
  return { file: shownPath(path), rows };
}

/**
 * Returns rows `weight` times: whole copies, then for the fraction rows at equal distances. Copies after the first get a new
 * id.
 */
function repeated(rows: readonly UserRow[], weight: number): UserRow[] {
  const whole = Math.floor(weight), rest = weight - whole;
  const copies = Array.from({ length: whole }, (_, copy) => rows.map((row) => copyOf(row, copy)));
  const some = rows.filter((_, k) => Math.floor((k + 1) * rest + 1e-9) > Math.floor(k * rest + 1e-9));
  return [...copies.flat(), ...some.map((row) => copyOf(row, whole))];
}

function copyOf(row: UserRow, copy: number): UserRow {
  return copy === 0 ? row : { ...row, id: `${row.id}#${copy + 1}` };
}

async function readRows(
  path: string,
  named: Partial<RowFields>,
  { isPrompt, prefix, ids }: {
    readonly isPrompt: boolean;
    readonly prefix: string;
    /** places of all rows by id; rows are added */
    readonly ids: Map<string, string>;
  },
): Promise<UserRow[]> {
  const files = dataFiles(path), fields = { ...DEFAULT_FIELDS, ...named };
  const rows: UserRow[] = [];
  for (const [k, file] of files.entries()) {
    const place = files.length > 1 ? `${prefix}${k + 1}:` : prefix;
    const ofFile = place === "" ? "" : ` of ${file}`;
    const data = await readDataFile(file);
    const columns = columnsOf(file, data, fields, isPrompt);
    const own = ownFields(columns, fields.id_field, isPrompt);
    const problems: RowProblem[] = [];
    for (const { line, value } of data.rows) {
      const at = `${data.unit} ${line}`, where = at + ofFile;
      const content = contentOf(value, columns, isPrompt);
      const what = "problems" in content ? [...content.problems] : [];
      const id = idIn(value, fields.id_field, what) ?? `${place}${data.unit}-${line}`;
      const earlier = ids.get(id);
      if (earlier !== undefined) what.push(`id ${JSON.stringify(id)} is already used by ${earlier}`);
      else ids.set(id, where);
      if (what.length > 0) problems.push({ at, line, what: what.join("; ") });
      if ("problems" in content) continue;
      // fromEntries defines own properties, so that a field "__proto__" stays a field
      const meta = Object.fromEntries(Object.entries(value).filter(([name]) => !own.has(name)));
      rows.push({ id, line, at: where, place: `${place}${line}`, content, meta });
    }
    refuseProblems(file, requirementOf(columns, isPrompt), problems);
  }
  return rows;
}

function columnsOf(
  file: string,
  { rows }: DataRows,
  fields: RowFields,
  isPrompt: boolean,
): LayoutColumns {
  const found = new Set(rows.flatMap(({ value }) => Object.keys(value)));
  const names = { prompt: fields.prompt_field, response: fields.response_field };
  const columns = layoutOf(fields.layout, names, found, isPrompt);
  if (columns !== undefined) return columns;
  const known = isPrompt
    ? "instruction, prompt or question"
    : "instruction and output, prompt and response (or completion), question and answer, or text";
  throw new DataError(
    `${file} must have the columns messages, conversations, ${known} (or name them with --layout, --prompt_field, ` +
      `--response_field), got ${
        listed([...found].map((name) => JSON.stringify(name)), { most: 20, separator: ", " })
      }`,
    { file },
  );
}

function requirementOf({ layout, prompt, response }: LayoutColumns, isPrompt: boolean): string {
  if (layout === "messages" || layout === "sharegpt") {
    return `every row must have a conversation in "${prompt}" and a unique id`;
  }
  const names = [prompt, ...(response === "" || isPrompt ? [] : [response])].map((name) => `"${name}"`);
  return `every row must have a text in ${names.join(" and ")} and a unique id`;
}

function ownFields({ layout, prompt, response }: LayoutColumns, id: string, isPrompt: boolean): Set<string> {
  return new Set([id, prompt, ...(isPrompt ? [] : [response]), ...(layout === "alpaca" ? ["input"] : [])]);
}

/** Returns the id in a row; undefined if it has none. An invalid id is added to `problems`. */
function idIn(
  value: Readonly<Record<string, unknown>>,
  field: string,
  problems: string[],
): string | undefined {
  const id = Object.hasOwn(value, field) ? value[field] : undefined;
  if (id === undefined || id === null) return undefined;
  if (typeof id === "number" || (typeof id === "string" && id !== "")) return String(id);
  problems.push(`${field} is ${kindOf(id)}`);
  return undefined;
}
