/** Parameters of every stage with a checker, beside the checker's name. @module */
import { z } from "zod";
import type { CheckerOptions } from "./checker.ts";

/** Fields for the schema of a stage; the empty string means "not set". */
export const CHECKER_DETAILS = {
  checker_field: z.string().default("")
    .describe("Field of the prompt's row that the checker uses.")
    .meta({
      source: "empty: the checker's default field",
      details: "Empty: `words` for words, `answer` for exact and contains, `pattern` for regex.",
    }),
  checker_pattern: z.string().default("")
    .describe("Regular expression for checker=regex; empty: from the prompt's row.")
    .meta({
      source: "empty: every prompt has its own pattern",
      details: "JavaScript's syntax with the flag u, in linear time: without lookahead and backreferences.",
    }),
};

/** Returns the checker's settings from these parameters. */
export function checkerOptions(
  { checker_field: field, checker_pattern: pattern }: {
    readonly checker_field: string;
    readonly checker_pattern: string;
  },
): CheckerOptions {
  return { ...(field === "" ? {} : { field }), ...(pattern === "" ? {} : { pattern }) };
}
