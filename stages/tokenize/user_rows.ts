/**
 * Reads a user's JSON Lines: demonstrations (prompt and response) or prompts. Every bad row is found before anything is
 * refused. In: a path. Out: rows with an id, their texts, and the fields that are left.
 * @module
 */
import { readJsonl } from "@/lib/files/jsonl.ts";
import type { Params } from "./params.ts";
import { type Problem, refuseProblems } from "./problems.ts";

/** A row of a user's file. */
export interface UserRow {
  readonly id: string;
  /** line number in the file, from 1 */
  readonly line: number;
  readonly prompt: string;
  /** all fields but id, prompt and response, in the row's order */
  readonly meta: Readonly<Record<string, unknown>>;
}

/** A prompt and the answer to learn. */
export interface DemonstrationRow extends UserRow {
  readonly response: string;
}

type Fields = Pick<Params, "id_field" | "prompt_field" | "response_field">;

/**
 * The demonstrations in `path`.
 * @throws {DataError} that lists every row without a prompt, without a response, with an empty or broken text, or with an
 *   id that an earlier row has.
 */
export function readDemonstrations(path: string, fields: Fields): DemonstrationRow[] {
  const { prompt_field: prompt, response_field: response } = fields;
  return readRows(path, fields, [prompt, response]).map(({ value, ...row }) => ({
    ...row,
    response: value[response] as string,
  }));
}

/** The prompts in `path`; `response_field`, if there is one, is a field like others. @throws {DataError} as above */
export function readPrompts(path: string, fields: Fields): UserRow[] {
  return readRows(path, fields, [fields.prompt_field]).map(({ value: _, ...row }) => row);
}

function readRows(
  path: string,
  fields: Fields,
  textFields: readonly string[],
): (UserRow & { readonly value: Readonly<Record<string, unknown>> })[] {
  const problems: Problem[] = [];
  const lineOfId = new Map<string, number>();
  const own = new Set([fields.id_field, ...textFields]);
  const rows = readJsonl(path).map(({ line, value }) => {
    const id = idOf(value, fields.id_field, line);
    const what = textFields.flatMap((field) => problemOf(value, field)).concat(
      problemOfId(value, fields.id_field),
    );
    const earlier = lineOfId.get(id);
    if (earlier !== undefined) what.push(`id ${JSON.stringify(id)} is that of line ${earlier}`);
    else lineOfId.set(id, line);
    if (what.length > 0) problems.push({ at: `line ${line}`, line, what: what.join("; ") });
    // fromEntries defines own properties, so that a field "__proto__" stays a field
    const meta = Object.fromEntries(Object.entries(value).filter(([name]) => !own.has(name)));
    return { id, line, prompt: value[fields.prompt_field] as string, meta, value };
  });
  const names = textFields.map((field) => `"${field}"`).join(" and ");
  refuseProblems(path, `every row must have a text in ${names} and an id of its own`, problems);
  return rows;
}

function idOf(value: Readonly<Record<string, unknown>>, field: string, line: number): string {
  const id = Object.hasOwn(value, field) ? value[field] : undefined;
  return typeof id === "string" || typeof id === "number" ? String(id) : `line-${line}`;
}

function problemOfId(value: Readonly<Record<string, unknown>>, field: string): string[] {
  const id = Object.hasOwn(value, field) ? value[field] : undefined;
  if (id === undefined || typeof id === "number" || (typeof id === "string" && id !== "")) return [];
  return [`${field} is ${kindOf(id)}`];
}

function problemOf(value: Readonly<Record<string, unknown>>, field: string): string[] {
  if (!Object.hasOwn(value, field)) {
    const found = Object.keys(value).map((name) => JSON.stringify(name)).join(", ") || "no field";
    return [`no ${field}, but ${found}`];
  }
  const text = value[field];
  if (typeof text !== "string") return [`${field} is ${kindOf(text)}`];
  if (text.trim() === "") return [`${field} is ${text === "" ? "empty" : "white space alone"}`];
  if (!text.isWellFormed()) return [`${field} holds half a surrogate pair`];
  return [];
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (value === "") return "empty";
  return Array.isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}
