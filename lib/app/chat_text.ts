/** How a chat shows responses and rewards: plain lines, or columns and colours in a terminal. @module */
import type { Paint } from "@/lib/report/ansi.ts";

/** A token and its reward in nats. */
export interface TokenReward {
  readonly text: string;
  readonly reward: number;
}

/** Returns the lines of a text, broken at spaces to at most `width` characters. */
export function wrapped(text: string, width: number): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const word of paragraph.split(/(?<= )/)) {
      if (line !== "" && (line + word).trimEnd().length > width) {
        lines.push(line);
        line = "";
      }
      line += word;
      while (line.trimEnd().length > width) {
        lines.push(line.slice(0, width));
        line = line.slice(width);
      }
    }
    return [...lines, line];
  });
}

/** Returns texts side by side under their names, as lines of `columns` characters. */
export function sideBySide(
  texts: readonly { readonly name: string; readonly text: string }[],
  columns: number,
  paint: Paint,
): string {
  const gap = 3, width = Math.max(20, Math.floor((columns - gap * (texts.length - 1)) / texts.length));
  const blocks = texts.map(({ text }) => wrapped(text.trim(), width));
  const height = blocks.reduce((most, { length }) => Math.max(most, length), 0);
  const row = (cells: readonly string[]) =>
    cells.map((cell) => cell.padEnd(width)).join(" ".repeat(gap)).trimEnd();
  const head = paint.bold(row(texts.map(({ name }) => name)));
  const body = Array.from(
    { length: height },
    (_, i) => row(blocks.map((block) => (block[i] ?? "").trimEnd())),
  );
  return [head, ...body].join("\n") + "\n";
}

/** Rewards below this are shown dim, in nats. */
const LITTLE = 0.05;

/** Returns the tokens with their rewards, and the sum: green adds, red subtracts; the numbers say the same without colours. */
export function rewardLine(tokens: readonly TokenReward[], paint: Paint): string {
  const parts = tokens.map(({ text, reward }) => {
    const number = `${reward < 0 ? "−" : "+"}${Math.abs(reward).toFixed(2)}`;
    const look = Math.abs(reward) < LITTLE ? paint.dim : reward > 0 ? paint.green : paint.red;
    return look(`${JSON.stringify(text).slice(1, -1).trim() || "␣"}[${number}]`);
  });
  const sum = tokens.reduce((total, { reward }) => total + reward, 0);
  return `${parts.join(" ")}\nreward ${sum.toFixed(2)} nats, ${tokens.length} tokens\n`;
}
