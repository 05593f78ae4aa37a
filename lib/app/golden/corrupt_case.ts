/**
 * The list of a `corrupt` golden: which files must be refused, how each is opened, and rules that generate the files that
 * are too long to be stored.
 * @module
 */
import { join } from "node:path";
import { readJsonl } from "@/lib/files/jsonl.ts";
import { isJsonObject } from "@/lib/files/strict_json.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { exists } from "../exists.ts";

/** How a file is opened. */
export type CorruptKind = "model" | "tokenizer" | "adapter" | "rows";

/** One file or folder of the list. */
export interface CorruptCase {
  readonly file: string;
  readonly kind: CorruptKind;
  /** must be accepted */
  readonly valid: boolean;
  /** its defect */
  readonly why: string;
  /** texts that the message must contain, in any case */
  readonly mustMention: readonly string[];
  /** accepting it is right too */
  readonly mayAccept: boolean;
  /** returns the text of a file that is generated before it is opened */
  readonly generated?: () => string;
}

const KINDS: readonly CorruptKind[] = ["model", "tokenizer", "adapter", "rows"];

/**
 * Returns the cases of a golden in the order of the file.
 * @throws {DataError} naming the first invalid line
 */
export function readCorruptCases(directory: string): CorruptCase[] {
  const path = join(directory, "expected.jsonl");
  return readJsonl(path).map(({ line, value }): CorruptCase => {
    const { file, kind, why = "", must_mention: words = [], allow, generate } = value;
    const opensAs = typeof file !== "string"
      ? undefined
      : kind === "control"
      ? kindOfValid(join(directory, file))
      : KINDS.find((known) => known === kind);
    if (opensAs === undefined || !Array.isArray(words)) {
      throw new DataError(
        `${path}:${line}: expected file, must_mention and a kind of ${KINDS.join(", ")}, control; ` +
          `got kind ${JSON.stringify(kind)}`,
        { file: path, line },
      );
    }
    return {
      file: file as string,
      kind: opensAs,
      valid: kind === "control",
      why: String(why),
      mustMention: words.map(String),
      mayAccept: allow !== undefined,
      ...(generate !== undefined && { generated: () => textOf(generate, path, line) }),
    };
  });
}

/** Returns the kind of a valid file by its content. */
function kindOfValid(path: string): CorruptKind {
  const has = (name: string) => exists(join(path, name));
  if (has("adapter_config.json")) return "adapter";
  if (has("config.json")) return "model";
  return has("tokenizer.json") ? "tokenizer" : "rows";
}

/** Returns the text of a `generate` rule: lines, each a text, or a prefix, a repeated text and a suffix. */
function textOf(rule: unknown, path: string, line: number): string {
  const { lines, newline = "\n" } = isJsonObject(rule) ? rule : {};
  const parts = Array.isArray(lines) ? lines.map(lineOf) : [];
  if (parts.length === 0 || parts.includes(undefined) || typeof newline !== "string") {
    throw new DataError(
      `${path}:${line}: generate must have lines of text, or of prefix, repeat, count and suffix`,
      { file: path, line },
    );
  }
  return parts.join(newline) + newline;
}

function lineOf(item: unknown): string | undefined {
  if (!isJsonObject(item)) return undefined;
  const { text, prefix = "", repeat = "", count = 0, suffix = "" } = item;
  if (typeof text === "string") return text;
  return Number.isSafeInteger(count)
    ? `${prefix}${String(repeat).repeat(count as number)}${suffix}`
    : undefined;
}
