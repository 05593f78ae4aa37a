/**
 * The shapes that demonstrations come in, as one: the messages of a conversation, or a text. Nothing is trimmed. Which shape a
 * file has is seen from its columns, or named. In: rows as objects. Out: conversations, or what is wrong with a row.
 * @module
 */
import { isJsonObject } from "@/lib/files/strict_json.ts";
import type { Message } from "@/lib/text/chat_template.ts";

/** The shapes. `auto` in parameters stands for the one that the columns show. */
export const LAYOUTS = [
  "prompt_response",
  "question_answer",
  "alpaca",
  "messages",
  "sharegpt",
  "text",
] as const;

/** A shape of rows. */
export type Layout = typeof LAYOUTS[number];

/** Names of the columns of a layout that its rows are made of. */
export interface LayoutColumns {
  readonly layout: Layout;
  readonly prompt: string;
  /** "" in layouts that keep both sides in one column */
  readonly response: string;
}

/** What a row says: a conversation, or a text by itself. */
export type Content =
  | { readonly kind: "chat"; readonly messages: readonly Message[] }
  | { readonly kind: "text"; readonly text: string };

/** Columns that a user names in place of a layout's own; "" = its own. */
export interface ColumnNames {
  readonly prompt: string;
  readonly response: string;
}

/** The columns of each layout, in the order in which layouts are looked for. The first name that there is counts. */
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

/** Speakers of sharegpt, and the roles that they are. */
const SPEAKERS: Readonly<Record<string, string>> = {
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  system: "system",
};

/**
 * The layout of a file and its columns, or undefined if no layout has these columns.
 * @param wanted a layout, or `auto`; a column that is named makes `auto` prompt_response
 * @param names the user's names of columns
 * @param found names of all columns
 * @param isPrompt the file holds prompts alone, so that no response is looked for
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
    // Names that a user gives are taken at the user's word: rows without them are listed one by one.
    const isHere = layout !== "auto" ||
      (found.has(prompt) && (isPrompt || response === "" || found.has(response)));
    if (isHere) return { layout: columns.layout, prompt, response };
  }
  return undefined;
}

/**
 * What a row says, or all that is wrong with it.
 * @param isPrompt without a response; a conversation that ends with an answer loses it
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
  if (isConversational) { // TRL's conversational prompt and completion: both are lists of messages
    const both = [...value[prompt] as unknown[], ...(isPrompt ? [] : value[response] as unknown[])];
    return conversationOf({ [prompt]: both }, { layout: "messages", prompt, response: "" }, isPrompt);
  }
  const problems = [prompt, ...(layout === "text" || isPrompt ? [] : [response])].flatMap((field) =>
    problemOf(value, field)
  );
  if (layout === "alpaca" && value.input !== undefined && value.input !== null) {
    if (typeof value.input !== "string") problems.push(`input is ${kindOf(value.input)}`);
    else if (!value.input.isWellFormed()) problems.push("input holds half a surrogate pair");
  }
  if (problems.length > 0) return { problems };
  const text = value[prompt] as string;
  if (layout === "text") return { kind: "text", text };
  const asked = layout === "alpaca" && value.input ? `${text}\n\n${value.input}` : text;
  const answer = isPrompt ? [] : [{ role: "assistant", content: value[response] as string }];
  return { kind: "chat", messages: [{ role: "user", content: asked }, ...answer] };
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
      problems.push(`${field} has no answer of an assistant`);
    }
  }
  return problems.length > 0 ? { problems } : { kind: "chat", messages };
}

/** A message as OpenAI writes it; fields that are null are left out, as tables have all fields in every row. */
function messageOf(item: Readonly<Record<string, unknown>>, at: string, problems: string[]): Message {
  const { role, content } = item;
  if (typeof role !== "string" || role === "") {
    problems.push(role === undefined ? `${at} has no role` : `the role of ${at} is ${kindOf(role)}`);
  }
  if (typeof content === "string") {
    if (!content.isWellFormed()) problems.push(`the content of ${at} holds half a surrogate pair`);
  } else if (!(item.tool_calls && (content === null || content === undefined))) {
    problems.push(
      content === undefined ? `${at} has no content` : `the content of ${at} is ${kindOf(content)}`,
    );
  }
  return Object.fromEntries(Object.entries(item).filter(([, part]) => part !== null)) as Message;
}

function turnOf(item: Readonly<Record<string, unknown>>, at: string, problems: string[]): Message {
  const { from, value } = item;
  const role = typeof from === "string" && Object.hasOwn(SPEAKERS, from) ? SPEAKERS[from]! : undefined;
  if (role === undefined) {
    const known = Object.keys(SPEAKERS).join(", ");
    problems.push(
      from === undefined ? `${at} has no from` : `${at} is from ${JSON.stringify(from)}, not ${known}`,
    );
  }
  if (typeof value !== "string") {
    problems.push(value === undefined ? `${at} has no value` : `the value of ${at} is ${kindOf(value)}`);
  } else if (!value.isWellFormed()) problems.push(`the value of ${at} holds half a surrogate pair`);
  return { role: role ?? "", content: value };
}

function problemOf(value: Readonly<Record<string, unknown>>, field: string): string[] {
  if (!Object.hasOwn(value, field)) return [missing(value, field)];
  const text = value[field];
  if (typeof text !== "string") return [`${field} is ${kindOf(text)}`];
  if (text.trim() === "") return [`${field} is ${text === "" ? "empty" : "white space alone"}`];
  if (!text.isWellFormed()) return [`${field} holds half a surrogate pair`];
  return [];
}

function missing(value: Readonly<Record<string, unknown>>, field: string): string {
  const found = Object.keys(value).map((name) => JSON.stringify(name)).join(", ") || "no field";
  return `no ${field}, but ${found}`;
}

/** What a value is, in words. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (value === "") return "empty";
  return Array.isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}
