/** How `score` ends where a stop was asked for. @module */
import { TryAgainError } from "@/lib/tensor/errors.ts";

/** @throws {TryAgainError} if a stop was asked for */
export function checkStop(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new TryAgainError("Cannot finish score as a stop was asked for: the round is not kept");
}
