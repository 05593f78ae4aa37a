/** The type of IFEval's instructions, and how their arguments are read. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";

/** Arguments of one instruction: an element of a document's `kwargs`. */
export type InstructionArguments = Readonly<Record<string, unknown>>;

/** Returns whether a response follows an instruction with these arguments. */
export type Instruction = (response: string, args: InstructionArguments) => boolean;

/** Returns a number; IFEval's own code draws one where it is missing, which has no right outcome. */
export function numberArgument(args: InstructionArguments, name: string): number {
  const value = args[name];
  if (typeof value === "number" && value >= 0) return value;
  throw argumentError(name, "a number of at least 0", value);
}

/** Returns a text that is not empty. */
export function textArgument(args: InstructionArguments, name: string): string {
  const value = args[name];
  if (typeof value === "string" && value !== "") return value;
  throw argumentError(name, "a text", value);
}

/** Returns a list of texts that is not empty. */
export function textsArgument(args: InstructionArguments, name: string): readonly string[] {
  const value = args[name];
  const isList = Array.isArray(value) && value.length > 0;
  if (isList && value.every((text): text is string => typeof text === "string")) return value;
  throw argumentError(name, "a list of texts", value);
}

/**
 * Returns the pattern for a text that IFEval puts into a pattern as it is. In its data these have letters, digits, spaces and dots only.
 * @throws {DataError} for other characters of patterns, with which a match could take exponential time
 */
export function patternArgument(text: string): string {
  if (/[\\^$*+?()[\]{}|]/.test(text)) {
    throw new DataError(
      `Texts of instructions must not have the characters \\^$*+?()[]{}|, got ${JSON.stringify(text)}`,
      { column: "kwargs" },
    );
  }
  return text.replaceAll(".", "[^\\n]");
}

/**
 * Returns whether `count` is below or not below the limit in the argument `limit`, as the argument `relation` tells.
 * @throws {DataError} if the relation is neither `less than` nor `at least`
 */
export function compareCount(
  count: number,
  args: InstructionArguments,
  { limit, relation }: { readonly limit: string; readonly relation: string },
): boolean {
  const than = args[relation];
  if (than !== "less than" && than !== "at least") {
    throw argumentError(relation, '"less than" or "at least"', than);
  }
  const bound = numberArgument(args, limit);
  return than === "less than" ? count < bound : count >= bound;
}

/** Returns the error for an argument that an instruction cannot use. */
export function argumentError(name: string, what: string, value: unknown): DataError {
  return new DataError(
    `Argument ${name} of an instruction must be ${what}, got ${JSON.stringify(value) ?? "nothing"}`,
    { column: "kwargs" },
  );
}
