/**
 * What the tests of the documentation read in Markdown, and how generated pages are written: links, anchors, tables,
 * code. Text in, text out; only `formatted()` starts a process.
 * @module
 */

/** A link with its target as written. */
export interface Link {
  readonly text: string;
  /** path before `#`; empty for a place in the page itself */
  readonly path: string;
  /** place after `#`, without it; empty where there is none */
  readonly anchor: string;
}

/** A table: its headings and its rows of cells, as written. */
export interface Table {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** `text` without fenced blocks: examples are not links, headings or tables. */
export function withoutFences(text: string): string {
  return text.replaceAll(/^(`{3,})[^\n]*\n[\s\S]*?^\1\s*$/gm, "");
}

/** Links and pictures of `text` that lead somewhere in the project. */
export function linksOf(text: string): Link[] {
  const plain = withoutFences(text).replaceAll(/`[^`\n]*`/g, "");
  return [...plain.matchAll(/\[([^\]]*)\]\(([^)\s]+)\)/g)].flatMap(([, label = "", target = ""]) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return [];
    const [path = "", anchor = ""] = target.split("#");
    return [{ text: label, path, anchor }];
  });
}

/** Places of `text` that a link can name: GitHub's spelling of every heading. */
export function anchorsOf(text: string): Set<string> {
  const headings = [...withoutFences(text).matchAll(/^#{1,6}\s+(.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").trim().replaceAll(/\s/g, "-")
    ),
  );
}

/** All tables of `text`. A bar inside a cell is written `\|`. */
export function tablesOf(text: string): Table[] {
  const blocks = withoutFences(text).match(/(?:^\|.*\|[ \t]*(?:\n|$))+/gm) ?? [];
  return blocks.map((block) => {
    const lines = block.trim().split("\n").map((line) =>
      line.trim().slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim())
    );
    return { headings: lines[0] ?? [], rows: lines.slice(2) };
  });
}

/** Names in backticks of the first column of every table whose first heading is `heading`. */
export function namesUnder(text: string, heading: string): string[] {
  return tablesOf(text).filter(({ headings }) => headings[0] === heading)
    .flatMap(({ rows }) => rows.flatMap(([first = ""]) => codeOf(first)));
}

/** All that stands in single backticks. */
export function codeOf(text: string): string[] {
  return [...withoutFences(text).matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
}

/** A table as Markdown, not aligned. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(headings), line(headings.map(() => "---")), ...rows.map(line)].join("\n");
}

/** `text` as `deno fmt` writes it. */
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
      `Cannot format a page as deno fmt must take it: ${new TextDecoder().decode(stderr).trim()}`,
    );
  }
  return new TextDecoder().decode(stdout);
}
