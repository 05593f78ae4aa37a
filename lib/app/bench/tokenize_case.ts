/**
 * How fast `tokenize` is: a file of about a million tokens, made of the quickstart's demonstrations, goes through the stage in
 * a process of its own, from its start to its end, files and report included.
 * @module
 */
import { join } from "node:path";
import { UnavailableError } from "@/lib/tensor/errors.ts";
import { projectRoot } from "../project_root.ts";
import { permissionFlags } from "../relaunch.ts";
import { summarise, type Summary } from "./timing.ts";

/** What tokenizing took. */
export interface TokenizeFigures {
  readonly rows: number;
  /** ids that were written; those of prompts are found twice, alone and with their responses */
  readonly tokens: number;
  readonly seconds: Summary;
  /** by the median of `seconds` */
  readonly tokens_per_second: number;
}

/** The tokenizer with which the tokens of a row were counted: 73 on average. */
const MODEL = join(projectRoot, "fixtures/stories260k");
const DEMONSTRATIONS = join(projectRoot, "fixtures/quickstart/demos.jsonl");

/** Rows that have about a million tokens. */
export const MILLION_ROWS = 14_000;

/**
 * Writes `rows` demonstrations to `path`: the quickstart's, over and over, each prompt with a beginning of its own.
 */
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
 * @throws {UnavailableError} if the stage fails; it has said why
 */
export async function benchTokenize(rows: number, runs: number): Promise<TokenizeFigures> {
  const parent = join(projectRoot, "runs");
  Deno.mkdirSync(parent, { recursive: true });
  const directory = Deno.makeTempDirSync({ dir: parent, prefix: "bench-" });
  try {
    const demonstrations = join(directory, "demonstrations.jsonl"), report = join(directory, "report");
    writeDemonstrations(demonstrations, rows);
    const permissions = permissionFlags({ read: [projectRoot], write: [directory], ffi: true });
    const seconds: number[] = [];
    while (seconds.length < runs) {
      const start = performance.now();
      const { code } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "--cached-only", ...permissions, join(projectRoot, "stages/tokenize/main.ts")],
          ...[`--in.demonstrations=${demonstrations}`, `--in.model=${MODEL}`],
          ...[`--out.train=${join(directory, "train.arrow")}`, `--out.report=${report}`],
        ],
        stdin: "null",
        stderr: "inherit",
      }).output();
      if (code !== 0) {
        throw new UnavailableError(`Cannot measure as tokenize must end well: exit code ${code}`);
      }
      seconds.push((performance.now() - start) / 1000);
    }
    const { train } = JSON.parse(Deno.readTextFileSync(join(report, "report.json"))) as {
      readonly train: { readonly rows: number; readonly tokens: number };
    };
    const summary = summarise(seconds);
    return {
      rows: train.rows,
      tokens: train.tokens,
      seconds: summary,
      tokens_per_second: Math.round(train.tokens / summary.median),
    };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
