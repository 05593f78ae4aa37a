/**
 * Reads users' files: demonstrations or prompts, in any format and layout. Every bad row is found before anything is refused.
 * In: paths. Out: rows with an id, what they say, and the fields that are left.
 * @module
 */
import { shownPath } from "@/lib/files/file_pattern.ts";
import { DataError, UsageError } from "@/lib/tensor/errors.ts";
import { dataFiles, type DataRow, readDataFile } from "./data_files.ts";
import { type Content, contentOf, kindOf, type Layout, type LayoutColumns, layoutOf } from "./layouts.ts";
import { type Problem, refuseProblems } from "./problems.ts";

/** A row of a user's file. */
export interface UserRow {
  readonly id: string;
  /** number of the line or row in its file, from 1 */
  readonly line: number;
  /** where it stands, for messages: `line 7`, or `row 7 of b.parquet` where there are several files */
  readonly at: string;
  /** where it stands, for the column `source`: `7`, or `2:7` in the second of several files */
  readonly place: string;
  readonly content: Content;
  /** all fields but the id and those that the content is made of, in the row's order */
  readonly meta: Readonly<Record<string, unknown>>;
}

/** Rows of one or more files, and what messages call them. */
export interface UserRows {
  readonly file: string;
  readonly rows: readonly UserRow[];
}

/** Which columns a user's rows are made of, in the names of `tokenize`'s parameters. */
export interface RowFields {
  /** `auto`: the one that the columns show */
  readonly layout: Layout | "auto";
  /** "": the layout's own */
  readonly prompt_field: string;
  /** "": the layout's own */
  readonly response_field: string;
  readonly id_field: string;
}

/** The layout that the columns show, and ids in `id`. */
export const USUAL_FIELDS: RowFields = {
  layout: "auto",
  prompt_field: "",
  response_field: "",
  id_field: "id",
};

/**
 * The demonstrations in `paths`, in their order.
 * @param weights how often the rows of each path are repeated; empty: once
 * @throws {DataError} that lists every row without a prompt, without a response, with a broken text, or with an id that an
 *   earlier row has
 * @throws {UsageError} if there are weights, but not one for each path
 */
export async function readDemonstrations(
  paths: readonly string[],
  fields: RowFields,
  weights: readonly number[] = [],
): Promise<UserRows> {
  if (weights.length > 0 && weights.length !== paths.length) {
    throw new UsageError(
      `Cannot mix demonstrations as there must be a weight for each of the ${paths.length} paths: there are ${weights.length}`,
    );
  }
  const parts: UserRow[] = [];
  const ids = new Map<string, string>();
  for (const [k, path] of paths.entries()) {
    const prefix = paths.length > 1 ? `${k + 1}:` : "";
    const rows = await readRows(path, fields, { isPrompt: false, prefix, ids });
    parts.push(...repeated(rows, weights[k] ?? 1));
  }
  return { file: paths.map(shownPath).join(" and "), rows: parts };
}

/** The prompts in `path`; a response, if there is one, is a field like others. @throws {DataError} as above */
export async function readPrompts(path: string, fields: RowFields): Promise<UserRows> {
  const rows = await readRows(path, fields, { isPrompt: true, prefix: "", ids: new Map() });
  return { file: shownPath(path), rows };
}

/**
 * Rows `weight` times: as many whole copies as it has, and of the rest the rows at equal distances. Copies after the first get
 * an id of their own.
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
  fields: RowFields,
  { isPrompt, prefix, ids }: {
    readonly isPrompt: boolean;
    readonly prefix: string;
    /** where the rows with these ids stand; grows */
    readonly ids: Map<string, string>;
  },
): Promise<UserRow[]> {
  const files = dataFiles(path);
  const rows: UserRow[] = [];
  for (const [k, file] of files.entries()) {
    const place = files.length > 1 ? `${prefix}${k + 1}:` : prefix;
    const ofFile = place === "" ? "" : ` of ${file}`;
    const data = await readDataFile(file);
    const columns = columnsOf(file, data, fields, isPrompt);
    const problems: Problem[] = [];
    for (const { unit, line, value } of data) {
      const at = `${unit} ${line}`, where = at + ofFile;
      const content = contentOf(value, columns, isPrompt);
      const what = "problems" in content ? [...content.problems] : [];
      const given = idIn(value, fields.id_field, what);
      const id = given ?? `${place}${unit}-${line}`;
      const earlier = ids.get(id);
      if (earlier !== undefined) what.push(`id ${JSON.stringify(id)} is that of ${earlier}`);
      else ids.set(id, where);
      if (what.length > 0) problems.push({ at, line, what: what.join("; ") });
      if ("problems" in content) continue;
      const own = ownFields(columns, fields.id_field, isPrompt);
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
  data: readonly DataRow[],
  fields: RowFields,
  isPrompt: boolean,
): LayoutColumns {
  const found = new Set(data.flatMap(({ value }) => Object.keys(value)));
  const names = { prompt: fields.prompt_field, response: fields.response_field };
  const columns = layoutOf(fields.layout, names, found, isPrompt);
  if (columns !== undefined) return columns;
  const list = [...found].slice(0, 20).map((name) => JSON.stringify(name)).join(", ");
  throw new DataError(
    `Cannot tokenize ${file} as its columns must show ${
      isPrompt ? "prompts" : "demonstrations"
    }: messages, conversations, ` +
      (isPrompt
        ? "instruction, prompt or question"
        : "instruction and output, prompt and response (or completion), question and answer, or text") +
      ` (or name them: --layout, --prompt_field, --response_field): its columns are ${list}`,
    { file },
  );
}

function requirementOf({ layout, prompt, response }: LayoutColumns, isPrompt: boolean): string {
  if (layout === "messages" || layout === "sharegpt") {
    return `every row must have a conversation in "${prompt}" and an id of its own`;
  }
  const names = [prompt, ...(response === "" || isPrompt ? [] : [response])].map((name) => `"${name}"`);
  return `every row must have a text in ${names.join(" and ")} and an id of its own`;
}

function ownFields({ layout, prompt, response }: LayoutColumns, id: string, isPrompt: boolean): Set<string> {
  return new Set([id, prompt, ...(isPrompt ? [] : [response]), ...(layout === "alpaca" ? ["input"] : [])]);
}

/** The row's own id; undefined if it has none. A bad one is noted in `problems`. */
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
