/**
 * HTML and SVG by tagged templates: every value that goes in is escaped unless it is markup itself, so that no
 * prompt, answer or path can become markup.
 * @module
 */

/** Markup that needs no escaping: only `markup` makes it. */
export interface Html {
  readonly markup: string;
}

/** What may stand in a template; lists are joined, undefined is nothing. */
export type HtmlValue = Html | string | number | undefined | readonly HtmlValue[];

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function render(value: HtmlValue): string {
  if (value === undefined) return "";
  if (typeof value === "string") return escapeHtml(value);
  if (typeof value === "number") return String(value);
  if ("markup" in value) return value.markup;
  return value.map(render).join("");
}

/** `text` with the five characters of markup replaced, and without control characters, which HTML forbids. */
export function escapeHtml(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  return text.replace(/[&<>"']/g, (c) => ESCAPES[c]!).replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g, "�");
}

/** Markup from a template; attributes must be quoted. */
export function markup(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return { markup: parts.reduce((text, part, i) => text + render(values[i - 1]) + part) };
}
