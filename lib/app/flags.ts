/** Command line flags, read the same way by every command. @module */
import { parseArgs } from "@std/cli/parse-args";
import { nearest, suggestion } from "@/lib/pipeline/engine/suggest.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** Names of the flags of a command. */
export interface FlagNames {
  /** true where present; `help`, `verbose` and the internal `launched` are added */
  readonly booleans?: readonly string[];
  /** one value each */
  readonly strings?: readonly string[];
  /** may be given several times */
  readonly lists?: readonly string[];
  /** maximum number of arguments that are not flags; default: any number */
  readonly maxWords?: number;
}

/** The flags of a command line. Reading a wrong value adds a problem and returns undefined. */
export interface Flags {
  /** arguments that are not flags */
  readonly words: readonly string[];
  /** everything wrong so far */
  readonly problems: string[];
  has(name: string): boolean;
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  /** @param text used where the flag is absent */
  integer(
    name: string,
    bounds: { readonly min: number; readonly max?: number },
    text?: string,
  ): number | undefined;
  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined;
  /** @throws {UsageError} listing all problems, if there are any */
  check(): void;
}

/** Reads `args`. Unknown flags and too many words are problems. */
export function readFlags(args: readonly string[], names: FlagNames): Flags {
  const { booleans = [], strings = [], lists = [], maxWords = Infinity } = names;
  const visible = [...booleans, ...strings, ...lists, "help", "verbose"].map((name) => `--${name}`);
  const problems: string[] = [];
  const values = parseArgs(args, {
    boolean: [...booleans, "help", "verbose", "launched"],
    string: [...strings, ...lists, "_"],
    collect: lists,
    alias: { h: "help" },
    unknown(_, key) {
      if (key === undefined) return true;
      problems.push(`unknown flag --${key}${suggestion(`--${key}`, visible)}`);
      return false;
    },
  });
  const words = values._.map(String);
  if (words.length > maxWords) {
    const expected = maxWords === 0 ? "no arguments" : `at most ${maxWords} argument`;
    problems.push(`expected ${expected}, got ${words.join(", ")}`);
  }
  return {
    words,
    problems,
    has: (name) => values[name] as boolean,
    text: (name) => values[name] as string | undefined,
    list: (name) => values[name] as string[],
    integer(name, { min, max = Number.MAX_SAFE_INTEGER }, text) {
      const given = (values[name] as string | undefined) ?? text;
      if (given === undefined) return undefined;
      const value = Number(given);
      if (given.trim() !== "" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
      const range = max === Number.MAX_SAFE_INTEGER
        ? `an integer ≥ ${min}`
        : `an integer from ${min} to ${max}`;
      problems.push(`--${name} must be ${range}, got "${given}"`);
    },
    oneOf(name, choices) {
      const given = values[name] as string | undefined, known = choices.find((choice) => choice === given);
      if (given !== undefined && known === undefined) {
        const near = nearest(given, choices), hint = near === undefined ? "" : `, did you mean "${near}"?`;
        problems.push(`--${name} must be one of ${choices.join(", ")}, got "${given}"${hint}`);
      }
      return known;
    },
    check() {
      if (problems.length > 0) throw new UsageError(`Invalid flags (see --help): ${problems.join("; ")}`);
    },
  };
}
