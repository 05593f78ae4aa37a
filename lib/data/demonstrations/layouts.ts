/**
 * Layouts of demonstrations: which columns a file has and how a row becomes a conversation or a text. The layout is named or
 * recognised by the columns. Nothing is trimmed.
 * @module
 */
import { isJsonObject, jsonKind } from "@/lib/data/files/strict_json.ts";
import type { Message } from "@/lib/data/text/chat_template.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

/** All layouts. `auto` in parameters stands for the one that matches the columns. */
export const LAYOUTS = [
  "prompt_response",
  "question_answer",
  "alpaca",
  "messages",
  "sharegpt",
  "text",
] as const;

/** Name of a layout. */
export type Layout = typeof LAYOUTS[number];

/** A layout and the columns that its content is in. */
export interface LayoutColumns {
  readonly layout: Layout;
  readonly prompt: string;
  /** "" in layouts with prompt and response in one column */
  readonly response: string;
}

/** Content of a row: a conversation, or a text without a prompt. */
export type Content =
  | { readonly kind: "chat"; readonly messages: readonly Message[] }
  | { readonly kind: "text"; readonly text: string };

/** Columns named by the user; "" = those of the layout. */
export interface ColumnNames {
  readonly prompt: string;
  readonly response: string;
}

/** The columns of each layout, in the order in which layouts are tried. The first name that exists is used. */
const COLUMNS: readonly {
  readonly layout: Layout;
  readonly prompt: readonly string[];
  readonly response: readonly string[];
}[] = [
  { layout: "messages", prompt: ["messages"], response: [] },
  { layout: "sharegpt", prompt: ["conversations"], response: [] },
  { layout: "alpaca", prompt: ["instruction"], response: ["output"] },
  { layout: "prompt_response", prompt: ["prompt"], response: ["response", "completion"] },
  { layout: "question_answer", prompt: ["question"], response: ["answer"] },
  { layout: "text", prompt: ["text"], response: [] },
];

/** Roles of the speakers in sharegpt. */
const SPEAKERS: Readonly<Record<string, string>> = {
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  system: "system",
};

/**
 * Returns the layout of a file and its columns, or undefined if no layout has these columns.
 * @param wanted a layout, or `auto`; with a named column, `auto` means prompt_response
 * @param names columns named by the user
 * @param found names of all columns
 * @param isPrompt whether the file holds prompts only, so that no response is required
 */
export function layoutOf(
  wanted: Layout | "auto",
  names: ColumnNames,
  found: ReadonlySet<string>,
  isPrompt: boolean,
): LayoutColumns | undefined {
  const named = names.prompt !== "" || names.response !== "";
  const layout = wanted === "auto" && named ? "prompt_response" : wanted;
  for (const columns of COLUMNS) {
    if (layout !== "auto" && columns.layout !== layout) continue;
    if (isPrompt && columns.layout === "text" && layout === "auto") continue;
    const prompt = names.prompt || (columns.prompt.find((name) => found.has(name)) ?? columns.prompt[0]!);
    const response = columns.response.length === 0
      ? ""
      : names.response || (columns.response.find((name) => found.has(name)) ?? columns.response[0]!);
    // Columns that the user names are not searched for: rows without them are listed as bad rows.
    const isHere = layout !== "auto" ||
      (found.has(prompt) && (isPrompt || response === "" || found.has(response)));
    if (isHere) return { layout: columns.layout, prompt, response };
  }
  return undefined;
}

/**
 * Returns the content of a row, or all its problems.
 * @param isPrompt without a response; a response at the end of a conversation is removed
 */
export function contentOf(
  value: Readonly<Record<string, unknown>>,
  columns: LayoutColumns,
  isPrompt: boolean,
): Content | { readonly problems: readonly string[] } {
  const { layout, prompt, response } = columns;
  if (layout === "messages" || layout === "sharegpt") return conversationOf(value, columns, isPrompt);
  const isConversational = layout === "prompt_response" && Array.isArray(value[prompt]) &&
    (isPrompt || Array.isArray(value[response]));
  if (isConversational) { // as in TRL: prompt and completion are lists of messages
    const both = [...value[prompt] as unknown[], ...(isPrompt ? [] : value[response] as unknown[])];
    return conversationOf({ [prompt]: both }, { layout: "messages", prompt, response: "" }, isPrompt);
  }
  const fields = [prompt, ...(layout === "text" || isPrompt ? [] : [response])];
  const problems = fields.flatMap((field) => fieldProblems(value, field));
  if (layout === "alpaca" && value.input !== undefined && value.input !== null) {
    if (typeof value.input !== "string") problems.push(`input is ${kindOf(value.input)}`);
    else if (!value.input.isWellFormed()) problems.push("input has half a surrogate pair");
  }
  if (problems.length > 0) return { problems };
  const text = value[prompt] as string;
  if (layout === "text") return { kind: "text", text };
  const question = layout === "alpaca" && value.input ? `${text}\n\n${value.input}` : text;
  const replies = isPrompt ? [] : [{ role: "assistant", content: value[response] as string }];
  return { kind: "chat", messages: [{ role: "user", content: question }, ...replies] };
}

function conversationOf(
  value: Readonly<Record<string, unknown>>,
  { layout, prompt: field }: LayoutColumns,
  isPrompt: boolean,
): Content | { readonly problems: readonly string[] } {
  const list = Object.hasOwn(value, field) ? value[field] : undefined;
  if (list === undefined) return { problems: [missing(value, field)] };
  if (!Array.isArray(list)) return { problems: [`${field} is ${kindOf(list)}, not a list`] };
  const problems: string[] = [];
  const messages = list.map((item: unknown, k): Message => {
    const at = `${field}[${k}]`;
    if (!isJsonObject(item)) {
      problems.push(`${at} is ${kindOf(item)}, not an object`);
      return { role: "" };
    }
    return layout === "messages" ? messageOf(item, at, problems) : turnOf(item, at, problems);
  });
  if (isPrompt && messages.at(-1)?.role === "assistant") messages.pop();
  if (problems.length === 0) {
    if (messages.length === 0) problems.push(`${field} is empty`);
    else if (!isPrompt && !messages.some(({ role }) => role === "assistant")) {
      problems.push(`${field} has no response of an assistant`);
    }
  }
  return problems.length > 0 ? { problems } : { kind: "chat", messages };
}

/** Returns a message in OpenAI's format without fields that are null, since tables have all fields in every row. */
function messageOf(item: Readonly<Record<string, unknown>>, at: string, problems: string[]): Message {
  const { role, content } = item;
  if (role === undefined) problems.push(`${at} has no role`);
  else if (typeof role !== "string" || role === "") problems.push(`the role of ${at} is ${kindOf(role)}`);
  if (!(item.tool_calls && (content === null || content === undefined))) {
    append(problems, textProblems(content, "content", at));
  }
  return Object.fromEntries(Object.entries(item).filter(([, part]) => part !== null)) as Message;
}

function turnOf(item: Readonly<Record<string, unknown>>, at: string, problems: string[]): Message {
  const { from, value } = item;
  const role = typeof from === "string" && Object.hasOwn(SPEAKERS, from) ? SPEAKERS[from]! : "";
  if (from === undefined) problems.push(`${at} has no from`);
  else if (role === "") {
    problems.push(`${at} is from ${JSON.stringify(from)}, not ${Object.keys(SPEAKERS).join(", ")}`);
  }
  append(problems, textProblems(value, "value", at));
  return { role, content: value };
}

/** Returns the problems of the text `name` of a message. */
function textProblems(text: unknown, name: string, at: string): string[] {
  if (text === undefined) return [`${at} has no ${name}`];
  if (typeof text !== "string") return [`the ${name} of ${at} is ${kindOf(text)}`];
  return text.isWellFormed() ? [] : [`the ${name} of ${at} has half a surrogate pair`];
}

function fieldProblems(value: Readonly<Record<string, unknown>>, field: string): string[] {
  if (!Object.hasOwn(value, field)) return [missing(value, field)];
  const text = value[field];
  if (typeof text !== "string") return [`${field} is ${kindOf(text)}`];
  if (text.trim() === "") return [`${field} is ${text === "" ? "empty" : "white space alone"}`];
  return text.isWellFormed() ? [] : [`${field} has half a surrogate pair`];
}

function missing(value: Readonly<Record<string, unknown>>, field: string): string {
  const found = Object.keys(value).map((name) => JSON.stringify(name)).join(", ") || "no fields";
  return `missing field ${JSON.stringify(field)}, got ${found}`;
}

/** Returns the kind of a value for messages; "empty" for an empty text. */
export function kindOf(value: unknown): string {
  return value === "" ? "empty" : jsonKind(value);
}
