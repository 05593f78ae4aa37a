/** Compares the first with the last third of measurements of a process that must not grow. @module */

/** One measurement between runs. */
export interface Sample {
  /** seconds since the start */
  readonly seconds: number;
  /** runs so far */
  readonly runs: number;
  /** resident memory */
  readonly bytes: number;
  /** open file descriptors */
  readonly descriptors: number;
}

const MIB = 2 ** 20;

/**
 * Growth from the first to the last third that is allowed: of memory the larger of both, and descriptors. The engine's heap
 * takes some hundred runs to reach its size: from about 100 to 160 MiB, of which 20 are in use at any time.
 */
export const TOLERANCE = { share: 0.1, bytes: 48 * MIB, descriptors: 4 } as const;

/** Medians of the first and the last third, and what grew more than {@linkcode TOLERANCE}. */
export interface Growth {
  readonly bytes: readonly [first: number, last: number];
  readonly descriptors: readonly [first: number, last: number];
  readonly problems: readonly string[];
}

/** Returns the growth over at least three samples. */
export function growthOf(samples: readonly Sample[]): Growth {
  const third = Math.floor(samples.length / 3);
  const first = samples.slice(0, third), last = samples.slice(-third);
  const bytes = [first, last].map((part) => median(part.map((one) => one.bytes))) as [number, number];
  const descriptors = [first, last].map((part) => median(part.map((one) => one.descriptors))) as [
    number,
    number,
  ];
  const problems: string[] = [];
  if (bytes[1] - bytes[0] > Math.max(TOLERANCE.bytes, TOLERANCE.share * bytes[0])) {
    problems.push(`memory grew from ${mebibytes(bytes[0])} to ${mebibytes(bytes[1])}`);
  }
  if (descriptors[1] - descriptors[0] > TOLERANCE.descriptors) {
    problems.push(`descriptors grew from ${descriptors[0]} to ${descriptors[1]}`);
  }
  return { bytes, descriptors, problems };
}

/** Returns bytes as text in MiB. */
export function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
