/**
 * The list of a `corrupt` golden: which files must be refused, how each is opened, and rules that generate the files that
 * are too long to be stored.
 * @module
 */
import { exists } from "@/lib/data/files/paths.ts";
import { join } from "node:path";
import { z } from "zod";
import { readJsonl } from "@/lib/data/files/jsonl.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";

const KINDS = ["model", "tokenizer", "adapter", "rows"] as const;

/** How a file is opened. */
export type CorruptKind = (typeof KINDS)[number];

/** One file or directory of the list. */
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

/** A generated file: lines, each a text, or a prefix, a repeated text and a suffix. */
const Rule = z.object({
  lines: z.array(z.union([
    z.object({ text: z.string() }),
    z.object({
      prefix: z.string().default(""),
      repeat: z.string().default(""),
      count: z.int().default(0),
      suffix: z.string().default(""),
    }),
  ])).min(1),
  newline: z.string().default("\n"),
});

const Line = z.object({
  file: z.string(),
  kind: z.enum([...KINDS, "control"]),
  why: z.string().default(""),
  must_mention: z.array(z.coerce.string()).default([]),
  allow: z.unknown().optional(),
  generate: Rule.optional(),
});

/**
 * Returns the cases of a golden in the order of the file.
 * @throws {DataError} naming the first invalid line
 */
export function readCorruptCases(directory: string): CorruptCase[] {
  const path = join(directory, "expected.jsonl");
  return readJsonl(path).map(({ line, value }): CorruptCase => {
    const parsed = Line.safeParse(value);
    if (!parsed.success) {
      const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
      throw new DataError(`${path}:${line}: ${listed(problems)}`, { file: path, line });
    }
    const { file, kind, why, must_mention: mustMention, allow, generate } = parsed.data;
    return {
      file,
      kind: kind === "control" ? kindOfValid(join(directory, file)) : kind,
      valid: kind === "control",
      why,
      mustMention,
      mayAccept: allow !== undefined,
      ...(generate && { generated: () => textOf(generate) }),
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

function textOf({ lines, newline }: z.output<typeof Rule>): string {
  const texts = lines.map((line) =>
    "text" in line ? line.text : line.prefix + line.repeat.repeat(line.count) + line.suffix
  );
  return texts.join(newline) + newline;
}
