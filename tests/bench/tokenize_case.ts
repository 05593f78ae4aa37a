/**
 * Speed of the stage `tokenize`: a file of about a million tokens, made of the quickstart's demonstrations. The time is that
 * of a separate process from start to end, reading and writing included.
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { runDeno } from "@/lib/app/relaunch.ts";
import { inTemporaryDirectory } from "./temporary_directory.ts";
import { summarise, type TimeSummary } from "./timing.ts";

/** Time of tokenizing. */
export interface TokenizeResult {
  readonly rows: number;
  /** ids written; ids of prompts are computed twice, alone and with their responses */
  readonly tokens: number;
  readonly seconds: TimeSummary;
  /** at the median of `seconds` */
  readonly tokens_per_second: number;
}

const MODEL = join(projectRoot, "fixtures/stories260k");
const DEMONSTRATIONS = join(projectRoot, "fixtures/quickstart/demos.jsonl");
const STAGE = pathToFileURL(join(projectRoot, "stages/tokenize/main.ts"));

/** Rows that have about a million tokens with the tokenizer of `MODEL`: 73 tokens each on average. */
export const MILLION_ROWS = 14_000;

/** Writes `rows` demonstrations to `path`: those of the quickstart in turn, each prompt with a number before it. */
export function writeDemonstrations(path: string, rows: number): void {
  const some = Deno.readTextFileSync(DEMONSTRATIONS).trim().split("\n").map((line) =>
    JSON.parse(line) as { readonly prompt: string; readonly response: string }
  );
  const lines = Array.from({ length: rows }, (_, k) => {
    const { prompt, response } = some[k % some.length]!;
    return `${JSON.stringify({ id: `${k}`, prompt: `${k}. ${prompt}`, response })}\n`;
  });
  Deno.writeTextFileSync(path, lines.join(""));
}

/**
 * Tokenizes `rows` demonstrations `runs` times.
 * @throws {UnavailableError} if the stage fails; it has printed why
 */
export async function benchTokenize(rows: number, runs: number): Promise<TokenizeResult> {
  return await inTemporaryDirectory(async (directory) => {
    const demonstrations = join(directory, "demonstrations.jsonl"), report = join(directory, "report");
    writeDemonstrations(demonstrations, rows);
    const args = [
      ...[`--in.demonstrations=${demonstrations}`, `--in.model=${MODEL}`],
      ...[`--out.train=${join(directory, "train.arrow")}`, `--out.report=${report}`],
    ];
    const seconds: number[] = [];
    while (seconds.length < runs) {
      const start = performance.now();
      const { code } = await runDeno(STAGE, args, { read: [projectRoot], write: [directory], ffi: true });
      if (code !== 0) throw new UnavailableError(`The stage tokenize failed with exit code ${code}`);
      seconds.push((performance.now() - start) / 1000);
    }
    const { train } = JSON.parse(Deno.readTextFileSync(join(report, "report.json"))) as {
      readonly train: { readonly rows: number; readonly tokens: number };
    };
    const { rows: written, tokens } = train, summary = summarise(seconds);
    return {
      rows: written,
      tokens,
      seconds: summary,
      tokens_per_second: Math.round(tokens / summary.median),
    };
  });
}
