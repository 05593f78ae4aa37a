/**
 * Colours and cursor movements of a terminal, as strings. Written here because the usual packages read
 * environment variables when they are imported, which a program without that permission cannot do; `NO_COLOR`
 * is honoured through `Deno.noColor`, which needs none.
 * @module
 */

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
} as const;

type Look = keyof typeof CODES;

/** Functions that add a colour or style to a text, or return it unchanged where colours are off. */
export type Paint = Readonly<Record<Look, (text: string) => string>>;

/** Returns the functions of `Paint`; with `enabled` false each returns its text unchanged. */
export function paint(enabled: boolean): Paint {
  const painter = (look: Look) => (text: string) => {
    if (!enabled || text === "") return text;
    const [open, close] = CODES[look];
    return `\x1b[${open}m${text}\x1b[${close}m`;
  };
  return Object.fromEntries((Object.keys(CODES) as Look[]).map((look) => [look, painter(look)])) as Paint;
}

/** Returns the codes that move to the start of the line `count` lines up and clear everything after it. */
export function eraseLines(count: number): string {
  return (count > 0 ? `\x1b[${count}A` : "") + "\r\x1b[J";
}

/**
 * Returns `text` with codes that make the terminal truncate lines at its edge instead of wrapping them: a live block
 * that wraps would be erased only in part.
 */
export function withoutWrapping(text: string): string {
  return `\x1b[?7l${text}\x1b[?7h`;
}
