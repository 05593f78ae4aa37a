/**
 * Finds a checker by its name, or loads a user's module.
 * In: a name or the path of a module. Out: a `Checker`.
 * @module
 */
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import type { Checker, CheckerInput, CheckerOptions } from "./checker.ts";
import { exportedFunction } from "./exported_function.ts";
import { ANSWER_FIELD, containsChecker, exactChecker, PATTERN_FIELD, regexChecker } from "./text_checkers.ts";
import { WORDS_FIELD, wordsChecker } from "./words.ts";

const CHECKERS: Readonly<Record<string, (options: CheckerOptions) => Checker>> = {
  words: wordsChecker,
  exact: exactChecker,
  contains: containsChecker,
  regex: regexChecker,
};

/** The requirement of `isCheckerName()`, for messages. */
export const CHECKER_RULE = `must be one of ${
  Object.keys(CHECKERS).join(", ")
}, or the path of a module (.ts, .js, .mjs)`;

/** Returns whether `name` is a built-in checker, the path of a module (which may not load), or empty for none. */
export function isCheckerName(name: string): boolean {
  return name === "" || Object.hasOwn(CHECKERS, name) || MODULE.test(name);
}

const MODULE = /\.(ts|mts|js|mjs)$/;

/** The field of a prompt's row that each built-in checker reads by default. */
const FIELDS: Readonly<Record<string, string>> = {
  words: WORDS_FIELD,
  exact: ANSWER_FIELD,
  contains: ANSWER_FIELD,
  regex: PATTERN_FIELD,
};

/** Returns the field of a prompt's row that checker `name` requires; undefined for a module, and for a fixed pattern. */
export function neededField(name: string, options: CheckerOptions = {}): string | undefined {
  if (!Object.hasOwn(FIELDS, name) || name === "regex" && options.pattern !== undefined) return undefined;
  return options.field ?? FIELDS[name];
}

/**
 * Returns the checker `name`: words, exact, contains, regex, or the path of a JavaScript or TypeScript module that exports
 * `check(input, options)`, a function like `Checker`. A module's metrics must be finite numbers with `score` among them.
 * @throws {UsageError} if no such checker or module exists, or the module exports no `check`
 */
export async function loadChecker(name: string, options: CheckerOptions = {}): Promise<Checker> {
  if (Object.hasOwn(CHECKERS, name)) return CHECKERS[name]!(options);
  if (!MODULE.test(name)) throw new UsageError(`A checker ${CHECKER_RULE}, got "${name}"`);
  const check = await exportedFunction(name, { name: "check", what: "checker" });
  return (input) => checkedMetrics(name, check(input, options), input);
}

function checkedMetrics(
  name: string,
  metrics: unknown,
  input: CheckerInput,
): Readonly<Record<string, number>> {
  const isGood = typeof metrics === "object" && metrics !== null && Object.hasOwn(metrics, "score") &&
    Object.values(metrics).every(Number.isFinite);
  if (isGood) return metrics as Readonly<Record<string, number>>;
  const what = metrics instanceof Promise ? "a promise" : JSON.stringify(metrics) ?? "undefined";
  throw new DataError(
    `checker ${name} must return finite numbers with "score" among them, got ${what} for the response ` +
      JSON.stringify(input.response.slice(0, 80)),
  );
}
