/**
 * Finds a checker by its name, or loads a user's module.
 * In: a name or the path of a module. Out: a `Checker`.
 * @module
 */
import { isModulePath } from "@/lib/data/files/module_path.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import type { Checker, CheckerInput, CheckerMetrics, CheckerOptions, ResponseCheck } from "./checker.ts";
import { ANSWER_FIELD, containsChecker, exactChecker, PATTERN_FIELD, regexChecker } from "./text_checkers.ts";
import { callForEach, checkUserModule, InvalidValue, type UserModuleLimits } from "./user_module.ts";
import { WORDS_FIELD, wordsChecker } from "./words.ts";

const CHECKERS: Readonly<Record<string, (options: CheckerOptions) => ResponseCheck>> = {
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
  return name === "" || Object.hasOwn(CHECKERS, name) || isModulePath(name);
}

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
 * `check(input, options)`, which returns the metrics of one response. A module's metrics must be finite numbers with `score`
 * among them. It runs in a process of its own: once here, to see that it loads, and once for every call.
 * @throws {UsageError} if no such checker or module exists, or the module exports no `check`
 */
export async function loadChecker(
  name: string,
  options: CheckerOptions = {},
  limits: UserModuleLimits = {},
): Promise<Checker> {
  if (Object.hasOwn(CHECKERS, name)) return checkerOf(CHECKERS[name]!(options));
  if (!isModulePath(name)) throw new UsageError(`A checker ${CHECKER_RULE}, got "${name}"`);
  const called = { path: name, name: "check", what: "checker" };
  await checkUserModule(called, limits);
  return async (inputs) => {
    const results = await callForEach(called, inputs.map((input) => [input, options]), limits);
    return results.map((metrics, row) => checkedMetrics(name, metrics, inputs[row]!, row));
  };
}

/** Returns a checker of many responses from one of a single response. */
function checkerOf(check: ResponseCheck): Checker {
  const checkRow = (input: CheckerInput, row: number): CheckerMetrics => {
    try {
      return check(input);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      throw new DataError(error.message, { ...error.where, row }, { cause: error });
    }
  };
  return (inputs) => Promise.try(() => inputs.map(checkRow));
}

function checkedMetrics(name: string, metrics: unknown, input: CheckerInput, row: number): CheckerMetrics {
  const isGood = typeof metrics === "object" && metrics !== null && Object.hasOwn(metrics, "score") &&
    Object.values(metrics).every(Number.isFinite);
  if (isGood) return metrics as CheckerMetrics;
  const what = metrics instanceof InvalidValue ? metrics.text : JSON.stringify(metrics);
  throw new DataError(
    `checker ${name} must return finite numbers with "score" among them, got ${what} for the response ` +
      JSON.stringify(input.response.slice(0, 80)),
    { file: name, row },
  );
}
