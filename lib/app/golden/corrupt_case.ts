/**
 * The list of a `corrupt` golden: which files must be refused and which must not, what opens each, and the files that
 * are too long to be stored and are written by a rule.
 * @module
 */
import { join } from "node:path";
import { readJsonl } from "@/lib/files/jsonl.ts";
import { isJsonObject } from "@/lib/files/strict_json.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** What a file is opened as. */
export type CorruptKind = "model" | "tokenizer" | "adapter" | "rows";

/** One file or folder of the list. */
export interface CorruptCase {
  readonly file: string;
  readonly kind: CorruptKind;
  /** a valid twin, which must be accepted */
  readonly valid: boolean;
  /** what is wrong with it */
  readonly why: string;
  /** texts that the message must contain, in any case */
  readonly mustMention: readonly string[];
  /** accepting it is as good as refusing it */
  readonly mayAccept: boolean;
  /** the text of a file that is written before it is opened */
  readonly generated?: () => string;
}

const KINDS: readonly CorruptKind[] = ["model", "tokenizer", "adapter", "rows"];

/**
 * The cases of a golden, in their order.
 * @throws {DataError} naming the line that is no case
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
        `Cannot read ${path} as every line must have a file, must_mention and a kind of ${
          KINDS.join(", ")
        }, control: ` +
          `line ${line} has kind ${JSON.stringify(kind)}`,
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

/** What a valid file is, by its content: an adapter, a model, a tokenizer, or rows. */
function kindOfValid(path: string): CorruptKind {
  const has = (name: string) => {
    try {
      return Deno.statSync(join(path, name)).isFile;
    } catch {
      return false;
    }
  };
  if (has("adapter_config.json")) return "adapter";
  if (has("config.json")) return "model";
  return has("tokenizer.json") ? "tokenizer" : "rows";
}

/** The text that a `generate` rule describes: lines that are given, or a prefix, a repeated text and a suffix. */
function textOf(rule: unknown, path: string, line: number): string {
  const { lines, newline = "\n" } = isJsonObject(rule) ? rule : {};
  const parts = Array.isArray(lines) ? lines.map(lineOf) : [];
  if (parts.length === 0 || parts.includes(undefined) || typeof newline !== "string") {
    throw new DataError(
      `Cannot read ${path} as generate must hold lines of text, or of prefix, repeat, count and suffix: line ${line} has others`,
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
