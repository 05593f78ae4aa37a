/** The loss on held-out demonstrations. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Sequence } from "@/lib/model/train/batching.ts";
import { runYielding } from "@/lib/model/train/event_loop.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobsWork } from "@/lib/model/train/token_logprobs.ts";

/** A loss or a gradient is not finite: the training diverged. Exit code 65. */
export class NonFiniteError extends DataError {
  override name = "NonFiniteError";
}

/**
 * Returns the mean nats per supervised token of demonstrations.
 * @param updates number of updates so far, for the message
 * @throws {NonFiniteError} if it is not finite
 */
export async function validationLoss(
  network: Network,
  rows: readonly Sequence[],
  updates: number,
): Promise<number> {
  let sum = 0, count = 0;
  for (const logprobs of await runYielding(tokenLogprobsWork(network, rows))) {
    for (const x of logprobs) sum -= x;
    count += logprobs.length;
  }
  const loss = sum / count;
  if (Number.isFinite(loss)) return loss;
  throw new NonFiniteError(
    `Validation loss after update ${updates} must be finite, got ${loss} (try a smaller lr)`,
  );
}
