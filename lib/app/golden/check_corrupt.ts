/**
 * Corrupt files and their valid twins: what must be refused is refused once, by a message that says what it must and
 * with the exit code of bad data, soon, and without the memory that a header merely claims.
 * @module
 */
import { join } from "node:path";
import { readDemonstrations } from "@/lib/demonstrations/user_rows.ts";
import { loadModel } from "@/lib/models/checkpoint.ts";
import { EXIT, exitCodeOf } from "@/lib/tensor/errors.ts";
import { loadTokenizer } from "@/lib/text/tokenizer.ts";
import { type CorruptCase, type CorruptKind, readCorruptCases } from "./corrupt_case.ts";
import { type Bar, type CheckLine, tally } from "./tally.ts";

/** What opens a file of each kind. */
const OPENERS: Readonly<Record<CorruptKind, (path: string) => unknown>> = {
  model: loadModel,
  adapter: loadModel,
  tokenizer: loadTokenizer,
  rows: (path) => readDemonstrations([path]),
};

/** Longest that one file may take, seconds. */
const TIME: Bar = { check: "seconds for a file", measure: "absolute", bar: 10 };

/** Most memory that one file may take: the largest of them holds 5 MB and every other is below 100 KB. */
const MEMORY: Bar = { check: "MiB for a file", measure: "absolute", bar: 256 };

const MEBIBYTE = 2 ** 20;

/** Failures that a line names. */
const SHOWN = 3;

/**
 * Checks a folder with expected.jsonl: a line for the valid files, one for each kind of corrupt ones, and one each for
 * the time and the memory that a file took at most.
 * @param scratch where files that are written by a rule go
 * @throws {DataError} if the list cannot be read
 */
export async function checkCorrupt(directory: string, scratch = join("runs", "tmp")): Promise<CheckLine[]> {
  const cases = readCorruptCases(directory);
  const outcomes = new Map<string, { file: string; problem?: string }[]>();
  const costs = tally();
  for (const one of cases) {
    const { problem, seconds, bytes } = await tryCase(directory, one, scratch);
    const check = one.valid ? "valid: accepted" : `corrupt ${one.kind}: refused`;
    outcomes.set(check, [
      ...outcomes.get(check) ?? [],
      { file: one.file, ...(problem !== undefined && { problem }) },
    ]);
    costs.compare(TIME, one.file, [seconds], [0]);
    costs.compare(MEMORY, one.file, [bytes / MEBIBYTE], [0]);
  }
  return [...[...outcomes].map(([check, found]) => lineOf(check, found)), ...costs.lines()];
}

function lineOf(check: string, outcomes: readonly { file: string; problem?: string }[]): CheckLine {
  const failed = outcomes.filter(({ problem }) => problem !== undefined);
  const shown = failed.slice(0, SHOWN).map(({ file, problem }) => `${file}: ${problem}`);
  return {
    check,
    measure: "differences",
    bar: 0,
    largestError: failed.length,
    ok: failed.length === 0,
    worst: shown.join("; ") + (failed.length > SHOWN ? `; and ${failed.length - SHOWN} more` : ""),
    places: outcomes.map(({ file, problem }) => ({
      place: problem === undefined ? file : `${file}: ${problem}`,
      error: problem === undefined ? 0 : 1,
    })),
  };
}

/** Opens one file. `problem` says how the outcome is not what it must be. */
async function tryCase(
  directory: string,
  one: CorruptCase,
  scratch: string,
): Promise<{ readonly problem?: string; readonly seconds: number; readonly bytes: number }> {
  const open = OPENERS[one.kind];
  using stored = storedCase(directory, one, scratch);
  const before = memoryInUse(), start = performance.now();
  const cost = () => ({
    seconds: (performance.now() - start) / 1000,
    bytes: Math.max(0, memoryInUse() - before),
  });
  try {
    await open(stored.path);
  } catch (error) {
    const problem = one.valid ? `refused: ${messageOf(error)}` : faultOf(error, one);
    return { ...cost(), ...(problem !== undefined && { problem }) };
  }
  return { ...cost(), ...(!one.valid && !one.mayAccept && { problem: `accepted, though ${one.why}` }) };
}

/** The file of a case, written first where it is made by a rule; disposing of it removes what was written. */
function storedCase(directory: string, { file, generated }: CorruptCase, scratch: string): Disposable & {
  readonly path: string;
} {
  if (generated === undefined) return { path: join(directory, file), [Symbol.dispose]() {} };
  Deno.mkdirSync(scratch, { recursive: true });
  const folder = Deno.makeTempDirSync({ dir: scratch, prefix: "golden-" }), path = join(folder, file);
  Deno.writeTextFileSync(path, generated());
  return { path, [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }) };
}

/** How a refusal falls short; undefined if it is as it must be. */
function faultOf(error: unknown, { mustMention }: CorruptCase): string | undefined {
  const message = messageOf(error), code = exitCodeOf(error);
  if (code !== EXIT.badData) return `exit code ${code}, not ${EXIT.badData}: ${message}`;
  const silent = mustMention.filter((word) => !message.toLowerCase().includes(word.toLowerCase()));
  if (silent.length > 0) return `no ${silent.map((word) => JSON.stringify(word)).join(", ")} in: ${message}`;
  return message !== "" && !message.endsWith(".") ? undefined : `no clear error: ${message}`;
}

/** Bytes that buffers hold, or that are resident, whichever are more: an allocation that is not touched is not resident. */
function memoryInUse(): number {
  const { rss, external } = Deno.memoryUsage();
  return Math.max(rss, external);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
