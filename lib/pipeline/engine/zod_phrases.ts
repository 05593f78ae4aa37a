/**
 * Problems that zod found, in the words of this project's messages: `must be …, got …`.
 * @module
 */
import type { z } from "zod";
import type { Stage } from "@/lib/data/contracts/stage.ts";
import { unknownName } from "./suggest.ts";

const KINDS: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a string",
  boolean: "true or false",
  record: "a map",
  object: "a map",
  array: "a list",
  null: "null",
};

/** Returns the clause that follows the value's name in a message. It names the value if zod parsed with `reportInput`. */
export function phraseOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type" && /received undefined$/.test(issue.message)) return "is missing";
  const found = "input" in issue ? `, got ${shown(issue.input)}` : "";
  switch (issue.code) {
    case "invalid_type":
      return `must be ${kind(issue.expected)}${found}`;
    case "too_small":
      return bound(issue.inclusive === false ? ">" : "≥", issue.minimum, issue.origin) + found;
    case "too_big":
      return bound(issue.inclusive === false ? "<" : "≤", issue.maximum, issue.origin) + found;
    case "invalid_value":
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}${found}`;
    case "invalid_key":
      return issue.issues.map((inner) => inner.message).join(", ");
    case "invalid_union": {
      const allowed = issue.errors.flatMap((branch) => branch[0] === undefined ? [] : [allowedBy(branch[0])]);
      return `must be ${[...new Set(allowed)].join(" or ")}${found}`;
    }
    default:
      return issue.message.replace(/^Invalid input: /, "");
  }
}

/** Returns what one branch of a union allows: `a number`, `> 0`, `"auto"`. */
function allowedBy({ input: _, ...issue }: z.core.$ZodIssue): string {
  return phraseOf(issue as z.core.$ZodIssue).replace(/^must be /, "");
}

function kind(expected: string): string {
  return KINDS[expected] ?? expected;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a map";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function bound(sign: string, value: number | bigint, origin: string): string {
  if (origin === "string") {
    return value === 1 && sign === "≥" ? "must not be empty" : `must have ${sign} ${value} characters`;
  }
  return origin === "array" ? `must have ${sign} ${value} items` : `must be ${sign} ${value}`;
}

/** A problem with parameters of a stage. */
export interface ParamProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Returns the checked parameters of `stage`, defaults filled in, or every problem with those that are given. */
export function checkParams<Schema extends z.ZodObject>(
  stage: Stage<Schema>,
  given: unknown,
): { readonly params: z.output<Schema> } | { readonly problems: readonly ParamProblem[] } {
  const parsed = stage.params.safeParse(given, { reportInput: true });
  if (parsed.success) return { params: parsed.data };
  const problems = parsed.error.issues.flatMap((issue): ParamProblem[] => {
    const path = issue.path as (string | number)[];
    if (issue.code !== "unrecognized_keys") {
      const name = path.length === 0 ? "parameters" : `parameter "${path.join(".")}"`;
      return [{ path, message: `${name} ${phraseOf(issue)}` }];
    }
    const known = Object.keys(stage.params.shape);
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: unknownName("parameter", key, known, stage.renamed),
    }));
  });
  return { problems };
}
