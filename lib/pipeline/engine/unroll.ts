/** Starts the copies or iterations of a block a part at a time, so that a million of them take little memory. @module */

/** Copies or iterations that may be under way. */
const AHEAD = 256;

/**
 * Calls `start` for 0, 1, … up to `count`, and waits where the copy or iteration 256 before has not ended.
 * @param start returns the promises of one copy or iteration
 * @throws the first failure that it waits for; then nothing more is started
 */
export async function unroll(
  count: number,
  start: (i: number) => readonly Promise<unknown>[],
): Promise<void> {
  const open: (readonly Promise<unknown>[])[] = [];
  for (let i = 0; i < count; i++) {
    open[i % AHEAD] = start(i);
    for (const oldest of open[(i + 1) % AHEAD] ?? []) await oldest;
  }
}
