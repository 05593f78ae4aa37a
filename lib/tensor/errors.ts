/**
 * The error classes of the project and the exit code that each one stands for.
 * Messages follow one grammar: `Cannot <verb> <object> as <requirement>: <current>`.
 * @module
 */

/** Exit codes after sysexits.h; 75 also means "stopped on request, run again to go on". */
export const EXIT = { ok: 0, usage: 64, badData: 65, unavailable: 69, internal: 70, tryAgain: 75 } as const;

/** Shapes that do not fit. */
export class ShapeError extends TypeError {
  override name = "ShapeError";
  constructor(message: string, readonly details: { op?: string; expected?: unknown; actual?: unknown } = {}) {
    super(message);
  }
}

/** An element type that an operation does not take. */
export class DTypeError extends TypeError {
  override name = "DTypeError";
}

/** The command was called wrongly: flags, parameters, manifests. Exit code 64. */
export class UsageError extends SyntaxError {
  override name = "UsageError";
}

/** A file or its content is not what it must be. Exit code 65. */
export class DataError extends Error {
  override name = "DataError";
  constructor(
    message: string,
    readonly where: { file?: string; column?: string; row?: number; line?: number } = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A column of an Arrow file breaks its contract. Exit code 65. */
export class ColumnError extends DataError {
  override name = "ColumnError";
}

/** A manifest has problems; `issues` lists all of them. Exit code 64. */
export class ManifestError extends UsageError {
  override name = "ManifestError";
  constructor(message: string, readonly issues: readonly { pointer: string; message: string }[] = []) {
    super(message);
  }
}

/** A device, library or service that is needed is not there. Exit code 69. */
export class UnavailableError extends Error {
  override name = "UnavailableError";
}

/** An operator that has no kernel or no rule. */
export class UnsupportedOpError extends Error {
  override name = "UnsupportedOpError";
}

/** Something that may work later: disk full, directory in use, or a stop on request. Exit code 75. */
export class TryAgainError extends Error {
  override name = "TryAgainError";
}

/** The exit code that stands for `error`. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof DataError) return EXIT.badData;
  if (error instanceof UnavailableError) return EXIT.unavailable;
  if (error instanceof TryAgainError) return EXIT.tryAgain;
  return EXIT.internal;
}
