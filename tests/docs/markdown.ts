/**
 * Reads links, anchors, tables and code from Markdown for the tests of the documentation, and writes the Markdown of
 * generated pages. Only `formatted()` starts a process.
 * @module
 */

/** A link with its target as written. */
export interface Link {
  readonly text: string;
  /** path before `#`; empty for an anchor in the page itself */
  readonly path: string;
  /** anchor after `#`; empty if there is none */
  readonly anchor: string;
}

/** A table: its headings and its rows of cells, as written. */
export interface Table {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Returns `text` without fenced blocks: examples are not links, headings or tables. */
export function withoutFences(text: string): string {
  return text.replaceAll(/^(`{3,})[^\n]*\n[\s\S]*?^\1\s*$/gm, "");
}

/** Returns the links and images of `text` whose target is in the project. */
export function linksOf(text: string): Link[] {
  const plain = withoutFences(text).replaceAll(/`[^`\n]*`/g, "");
  return [...plain.matchAll(/\[([^\]]*)\]\(([^)\s]+)\)/g)].flatMap(([, label = "", target = ""]) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return [];
    const [path = "", anchor = ""] = target.split("#");
    return [{ text: label, path, anchor }];
  });
}

/** Returns the anchors of `text`: every heading as GitHub spells it. */
export function anchorsOf(text: string): Set<string> {
  const headings = [...withoutFences(text).matchAll(/^#{1,6}\s+(.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").trim().replaceAll(/\s/g, "-")
    ),
  );
}

/** Returns all tables of `text`. A bar inside a cell is written `\|`. */
export function tablesOf(text: string): Table[] {
  const blocks = withoutFences(text).match(/(?:^\|.*\|[ \t]*(?:\n|$))+/gm) ?? [];
  return blocks.map((block) => {
    const lines = block.trim().split("\n").map((line) =>
      line.trim().slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim())
    );
    return { headings: lines[0] ?? [], rows: lines.slice(2) };
  });
}

/** Returns the names in backticks in the first column of every table whose first heading is `heading`. */
export function namesUnder(text: string, heading: string): string[] {
  return tablesOf(text).filter(({ headings }) => headings[0] === heading)
    .flatMap(({ rows }) => rows.flatMap(([first = ""]) => codeOf(first)));
}

/** Returns all texts in single backticks. */
export function codeOf(text: string): string[] {
  return [...withoutFences(text).matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
}

/** Returns a table as Markdown, not aligned. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(headings), line(headings.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Returns `text` formatted by `deno fmt`. */
export async function formatted(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=md", "--line-width=110", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) {
    throw new TypeError(
      `deno fmt failed: ${new TextDecoder().decode(stderr).trim()}`,
    );
  }
  return new TextDecoder().decode(stdout);
}
