/** Parameters that every stage with a checker has, beside the checker's name. @module */
import { z } from "zod";
import type { CheckerOptions } from "./checker.ts";

/** Fields for the schema of a stage; empty texts stand for "not set". */
export const CHECKER_DETAILS = {
  checker_field: z.string().default("")
    .describe("Field of a prompt's row that the checker looks at. Empty: the checker's own default.")
    .meta({ source: "lib/evals" }),
  checker_pattern: z.string().default("")
    .describe("Regular expression for checker=regex. Empty: the pattern in the prompt's row.")
    .meta({ source: "lib/evals" }),
};

/** The checker's settings that these parameters make. */
export function checkerOptions(
  { checker_field: field, checker_pattern: pattern }: {
    readonly checker_field: string;
    readonly checker_pattern: string;
  },
): CheckerOptions {
  return { ...(field === "" ? {} : { field }), ...(pattern === "" ? {} : { pattern }) };
}
