/**
 * HTML and SVG by tagged templates. Every value is escaped unless it is markup itself, so that no prompt, response or
 * path can become markup.
 * @module
 */

/** Markup that needs no escaping: only `markup` makes it. */
export interface Html {
  readonly markup: string;
}

/** A value of a template; lists are joined, undefined is empty. */
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

/** Returns `text` with the five characters of markup escaped, and control characters, which HTML forbids, replaced. */
export function escapeHtml(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are replaced
  return text.replace(/[&<>"']/g, (c) => ESCAPES[c]!).replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g, "�");
}

/** Returns markup from a template; attributes must be quoted. */
export function markup(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return { markup: parts.reduce((text, part, i) => text + render(values[i - 1]) + part) };
}
