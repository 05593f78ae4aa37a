/**
 * The report for a person: a table of the sets, and the first rows with what is learned in colour.
 * In: the object of report.json. Out: text of several lines.
 * @module
 */
import { type Paint, paint } from "@/lib/report/ansi.ts";

/** The part of report.json that is shown. */
export interface ShownReport {
  readonly train: ShownSet | null;
  readonly validation: ShownSet | null;
  readonly prompts: ShownPrompts | null;
  readonly eval_prompts: ShownPrompts | null;
  readonly examples: readonly {
    readonly id: string;
    readonly segments: readonly { readonly mask: number; readonly tokens: number; readonly text: string }[];
  }[];
}

type Quantiles = Readonly<Record<string, number>>;

interface ShownPrompts {
  readonly rows: number;
  readonly repeated_rows: number;
  readonly dropped: number;
  readonly cut: number;
  readonly prompt_length: Quantiles;
}

interface ShownSet extends ShownPrompts {
  readonly unsupervised: number;
  readonly boundary_splits: number;
  readonly tokens: number;
  readonly supervised_tokens: number;
  readonly length: Quantiles;
}

/** Longest text of a run that is shown whole; of a longer one both ends are. */
const MOST_CHARACTERS = 400;

const HEADS = [
  "",
  "rows",
  "repeated",
  "dropped",
  "empty",
  "cut",
  "split",
  "tokens",
  "learned",
  "p50",
  "p99",
  "max",
];

/** The report in lines; what is learned is green, and the rest dim, or stands between ⟦ and ⟧ without colours. */
export function reportText(report: ShownReport, options: { readonly colors: boolean }): string {
  const look = paint(options.colors);
  const lines = (["train", "validation", "prompts", "eval_prompts"] as const).flatMap((name) => {
    const set = report[name];
    return set === null ? [] : [setCells(name, set)];
  });
  const examples = report.examples.map(({ id, segments }) => {
    const text = segments.map(({ mask, text }) => segment(mask, text, look, options.colors)).join("");
    return `${look.bold(id)}\n${text}`;
  });
  return [...tableLines(lines, look), ...examples].join("\n");
}

function setCells(name: string, set: ShownPrompts | ShownSet): string[] {
  const { p50, p99, max } = "length" in set ? set.length : set.prompt_length;
  const learned = "length" in set
    ? [set.unsupervised, set.cut, set.boundary_splits, set.tokens, set.supervised_tokens]
    : ["", set.cut, "", "", ""];
  return [name, set.rows, set.repeated_rows, set.dropped, ...learned, p50, p99, max].map(String);
}

function tableLines(rows: readonly (readonly string[])[], look: Paint): string[] {
  const widths = HEADS.map((head, k) => Math.max(head.length, ...rows.map((row) => row[k]!.length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, k) => k === 0 ? cell.padEnd(widths[k]!) : cell.padStart(widths[k]!)).join("  ")
      .trimEnd();
  return [look.dim(line(HEADS)), ...rows.map(line)];
}

function segment(mask: number, text: string, look: Paint, colors: boolean): string {
  const cut = MOST_CHARACTERS / 2;
  const shown = text.length <= MOST_CHARACTERS ? text : `${text.slice(0, cut)} … ${text.slice(-cut)}`;
  // Colours are set line by line, so that a pager does not lose them.
  const painted = (paintLine: (line: string) => string) =>
    visible(shown).split("\n").map(paintLine).join("\n");
  if (mask === 1) return colors ? painted(look.green) : `⟦${visible(shown)}⟧`;
  return painted(look.dim);
}

/** Text whose control characters, which could move a terminal's cursor, are shown as symbols. */
function visible(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => character === "\n" || character === "\t" ? character : symbolOf(character),
  );
}

function symbolOf(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\uFFFD";
}
