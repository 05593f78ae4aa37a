/**
 * What zod finds wrong with a value, in the words of this project's messages: `must be …: it is …`.
 * @module
 */
import type { z } from "zod";

const KINDS: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  record: "a map",
  object: "a map",
  array: "a list",
  null: "null",
};

/** The clause that follows the value's name in a message. */
export function phraseOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be ${kind(issue.expected)}: ${received(issue.message)}`;
    case "too_small":
      return bound(issue.inclusive === false ? ">" : "≥", issue.minimum, issue.origin);
    case "too_big":
      return bound(issue.inclusive === false ? "<" : "≤", issue.maximum, issue.origin);
    case "invalid_value":
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    case "invalid_key":
      return issue.issues.map((inner) => inner.message).join(", ");
    case "invalid_union": {
      const kinds = issue.errors.flatMap((branch) =>
        branch[0]?.code === "invalid_type" ? [kind(branch[0].expected)] : []
      );
      return `must be ${[...new Set(kinds)].join(" or ")}`;
    }
    default:
      return issue.message.replace(/^Invalid input: /, "");
  }
}

function kind(expected: string): string {
  return KINDS[expected] ?? expected;
}

/** zod says in its message alone what it was given. */
function received(message: string): string {
  const what = /received (\S+)$/.exec(message)?.[1];
  if (what === "undefined") return "it is missing";
  return `it is ${what === undefined ? "something else" : kind(what)}`;
}

function bound(sign: string, value: number | bigint, origin: string): string {
  if (origin === "string") {
    return value === 1 && sign === "≥" ? "must not be empty" : `must have ${sign} ${value} characters`;
  }
  return origin === "array" ? `must have ${sign} ${value} items` : `must be ${sign} ${value}`;
}
