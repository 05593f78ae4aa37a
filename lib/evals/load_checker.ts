/**
 * Finds a checker by its name, or loads a user's module.
 * In: a name or the path of a module. Out: a `Checker`.
 * @module
 */
import { DataError, UsageError } from "@/lib/tensor/errors.ts";
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

/** Names of the checkers that are built in. */
export const CHECKER_NAMES: readonly string[] = Object.keys(CHECKERS);

/** What `isCheckerName()` asks for, as the end of a message. */
export const CHECKER_RULE = `must be one of ${
  CHECKER_NAMES.join(", ")
}, or the path of a module (.ts, .js, .mjs)`;

/** Whether `name` can name a checker: a built-in one, or a module, which may yet not load. Empty for none. */
export function isCheckerName(name: string): boolean {
  return name === "" || Object.hasOwn(CHECKERS, name) || MODULE.test(name);
}

const MODULE = /\.(ts|mts|js|mjs)$/;

/** The field of a prompt's row that each built-in checker looks at, unless told otherwise. */
const FIELDS: Readonly<Record<string, string>> = {
  words: WORDS_FIELD,
  exact: ANSWER_FIELD,
  contains: ANSWER_FIELD,
  regex: PATTERN_FIELD,
};

/** The field of a prompt's row without which checker `name` cannot score; undefined for a module, and for a fixed pattern. */
export function neededField(name: string, options: CheckerOptions = {}): string | undefined {
  if (!Object.hasOwn(FIELDS, name) || name === "regex" && options.pattern !== undefined) return undefined;
  return options.field ?? FIELDS[name];
}

/**
 * The checker `name`: words, exact, contains, regex, or the path of a JavaScript or TypeScript module that exports
 * `check(input, options)`, a function like `Checker`. A module's figures must be finite numbers with `score` among them.
 * @throws {UsageError} if there is no such checker or module, or the module exports no `check`.
 */
export async function loadChecker(name: string, options: CheckerOptions = {}): Promise<Checker> {
  if (Object.hasOwn(CHECKERS, name)) return CHECKERS[name]!(options);
  if (!MODULE.test(name)) {
    throw new UsageError(
      `Cannot use checker "${name}" as a checker ${CHECKER_RULE}: there is none of that name`,
    );
  }
  const check = await exportedFunction(name, { name: "check", what: "checker" });
  return (input) => checkedFigures(name, check(input, options), input);
}

function checkedFigures(
  name: string,
  figures: unknown,
  input: CheckerInput,
): Readonly<Record<string, number>> {
  const isGood = typeof figures === "object" && figures !== null && Object.hasOwn(figures, "score") &&
    Object.values(figures).every(Number.isFinite);
  if (isGood) return figures as Readonly<Record<string, number>>;
  const what = figures instanceof Promise ? "a promise" : JSON.stringify(figures) ?? "undefined";
  throw new DataError(
    `Cannot use what checker ${name} gives as it must be finite figures with "score" among them: it is ${what}, for the ` +
      `response ${JSON.stringify(input.response.slice(0, 80))}`,
  );
}
