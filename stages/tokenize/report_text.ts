/** The report as text for the terminal: a table of the sets, and example rows with the supervised tokens marked. @module */
import { escapeBidirectional } from "@/lib/compute/tensor/control_characters.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";
import { type Paint, paint } from "@/lib/report/ansi.ts";
import type { TokenizeReport } from "./report.ts";

/** The part of report.json that is shown. */
export type ShownReport = Pick<
  TokenizeReport,
  "train" | "validation" | "audit" | "prompts" | "eval_prompts" | "selection_prompts" | "examples"
>;

/** Limit of a run's text; of longer ones, both ends are shown. */
const MAX_CHARACTERS = 400;

const SETS = ["train", "validation", "audit", "prompts", "eval_prompts", "selection_prompts"] as const;

const HEADS = ["", ..."rows repeated dropped empty truncated split tokens supervised p50 p99 max".split(" ")];

/** Returns the report as text. Supervised tokens are green and others dim; without colours they are between ⟦ and ⟧. */
export function reportText(report: ShownReport, options: { readonly colors: boolean }): string {
  const look = paint(options.colors);
  const lines = SETS.flatMap((name) => {
    const set = report[name];
    return set === null || set === undefined ? [] : [setCells(name, set)];
  });
  const examples = report.examples.map(({ id, segments }) => {
    const text = segments.map(({ mask, text }) => segment(mask, text, look, options.colors)).join("");
    return `${look.bold(visible(id))}\n${text}`;
  });
  return [...tableLines(lines, look), ...examples].join("\n");
}

function setCells(name: string, set: NonNullable<ShownReport["train"] | ShownReport["prompts"]>): string[] {
  const { p50, p99, max } = "length" in set ? set.length : set.prompt_length;
  const counts = "length" in set
    ? [set.unsupervised, set.truncated, set.boundary_splits, set.tokens, set.supervised_tokens]
    : ["", set.truncated, "", "", ""];
  return [name, set.rows, set.repeated_rows, set.dropped, ...counts, p50, p99, max].map(String);
}

function tableLines(rows: readonly (readonly string[])[], look: Paint): string[] {
  const widths = HEADS.map((head, k) => largest(rows.map((row) => row[k]!.length), head.length));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, k) => k === 0 ? cell.padEnd(widths[k]!) : cell.padStart(widths[k]!)).join("  ")
      .trimEnd();
  return [look.dim(line(HEADS)), ...rows.map(line)];
}

function segment(mask: number, text: string, look: Paint, colors: boolean): string {
  const half = MAX_CHARACTERS / 2;
  const shown = text.length <= MAX_CHARACTERS ? text : `${text.slice(0, half)} … ${text.slice(-half)}`;
  // Colours are set on every line, since pagers reset them at line ends.
  const painted = (paintLine: (line: string) => string) =>
    visible(shown).split("\n").map(paintLine).join("\n");
  if (mask === 1) return colors ? painted(look.green) : `⟦${visible(shown)}⟧`;
  return painted(look.dim);
}

/** Returns text with control characters, which could move the cursor, replaced by symbols. */
function visible(text: string): string {
  return escapeBidirectional(text).replace(
    /\p{Cc}/gu,
    (character) => character === "\n" || character === "\t" ? character : symbolOf(character),
  );
}

function symbolOf(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\uFFFD";
}
