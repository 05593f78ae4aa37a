/**
 * Error classes of the project, each with the exit code it stands for.
 *
 * A message says what failed or what is required, then what was found after `got` or `is`. It begins with the file, line or
 * parameter where there is one, lists every offender, and has no period at its end:
 * `lora_rank must be at most 64, got 128`, `demos.jsonl:2: missing field "response"`,
 * `Not enough disk space: need 12.3 GB in DIR, 4.1 GB available`.
 * @module
 */

/** Exit codes after sysexits.h; 75 also means "interrupted: run the same command to resume". */
export const EXIT = { ok: 0, usage: 64, badData: 65, unavailable: 69, internal: 70, tryAgain: 75 } as const;

/** Reports tensor shapes that do not match. */
export class ShapeError extends TypeError {
  override name = "ShapeError";
  constructor(message: string, readonly details: { op?: string; expected?: unknown; actual?: unknown } = {}) {
    super(message);
  }
}

/** Reports an element type that an operation does not support. */
export class DTypeError extends TypeError {
  override name = "DTypeError";
}

/** Reports wrong usage: flags, parameters, manifests. Exit code 64. */
export class UsageError extends SyntaxError {
  override name = "UsageError";
}

/** Reports a missing or invalid file. Exit code 65. */
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

/** Reports a column of an Arrow file that does not match its contract. Exit code 65. */
export class ColumnError extends DataError {
  override name = "ColumnError";
}

/** Reports an invalid manifest; `issues` lists all problems. Exit code 64. */
export class ManifestError extends UsageError {
  override name = "ManifestError";
  constructor(message: string, readonly issues: readonly { pointer: string; message: string }[] = []) {
    super(message);
  }
}

/** Reports that a required device, library or service is not available. Exit code 69. */
export class UnavailableError extends Error {
  override name = "UnavailableError";
}

/** Reports an operator without a kernel or without a gradient rule. */
export class UnsupportedOpError extends Error {
  override name = "UnsupportedOpError";
}

/** Reports a failure that a later attempt may not have: full disk, directory in use, interruption. Exit code 75. */
export class TryAgainError extends Error {
  override name = "TryAgainError";
}

/**
 * Ends a stage that was interrupted. Stages call it between steps, so that all of them exit with code 75.
 * @param kept what an interruption leaves behind, for the message
 * @throws {TryAgainError} if `signal` is aborted
 */
export function throwIfInterrupted(signal: AbortSignal, kept = "nothing of this stage is stored"): void {
  if (signal.aborted) throw new TryAgainError(`Interrupted: ${kept}. Run the same command to resume`);
}

/** Returns the exit code for `error`. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof DataError) return EXIT.badData;
  if (error instanceof UnavailableError) return EXIT.unavailable;
  if (error instanceof TryAgainError) return EXIT.tryAgain;
  return EXIT.internal;
}
