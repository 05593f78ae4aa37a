/** Writes and reads pairs as a small CSV table, so that finished runs can be committed and new ones added. @module */
import { type Pair, type Predictor, PREDICTORS } from "./pairs.ts";

const COLUMNS = ["seed", "demonstrations", "mode", "a", "b", "score", "stderr", ...PREDICTORS];

/** Returns the table of `pairs`; numbers have four significant digits, null is empty. */
export function pairsTable(pairs: readonly Pair[]): string {
  const text = (value: number | null) => value === null ? "" : `${Number(value.toPrecision(4))}`;
  const lines = pairs.map(({ seed, demonstrations, mode, a, b, score, stderr, by }) =>
    [seed, demonstrations, mode, a, b, text(score), text(stderr), ...PREDICTORS.map((name) => text(by[name]))]
      .join()
  );
  return `${[COLUMNS.join(), ...lines].join("\n")}\n`;
}

/** Returns the pairs of a table. @throws {RangeError} if its columns are others */
export function readPairsTable(text: string): Pair[] {
  const [head, ...lines] = text.trim().split("\n");
  if (head !== COLUMNS.join()) throw new RangeError(`The columns must be ${COLUMNS.join()}, got ${head}`);
  return lines.map((line) => {
    const [seed, demonstrations, mode, a, b, score, stderr, ...values] = line.split(",");
    const by = PREDICTORS.map((name, k) => [name, values[k] === "" ? null : Number(values[k])] as const);
    return {
      seed: Number(seed),
      demonstrations: Number(demonstrations),
      mode: mode as Pair["mode"],
      a: a!,
      b: b!,
      score: Number(score),
      stderr: Number(stderr),
      by: Object.fromEntries(by) as Record<Predictor, number | null>,
    };
  });
}
