/** The error of a worker that failed, by its exit code. @module */
import { DataError, EXIT, TryAgainError, UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";

/** A worker failed with an exit code that has no class of its own. Exit code 70. */
class WorkerError extends Error {
  override name = "WorkerError";
}

/** Returns the project's error for a worker's exit code. */
export function workerError(code: number, message: string): Error {
  if (code === EXIT.usage) return new UsageError(message);
  if (code === EXIT.badData) return new DataError(message);
  if (code === EXIT.unavailable) return new UnavailableError(message);
  if (code === EXIT.tryAgain) return new TryAgainError(message);
  return new WorkerError(message);
}
