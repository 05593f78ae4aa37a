/** Where a response ends. @module */
import { DataError } from "@/lib/tensor/errors.ts";
import type { Row } from "./rows.ts";

/**
 * 1 where the token is an end-of-sequence token, [R]. A response holds at most one, as its last token: what follows an end was
 * never sampled. A response that was cut at a length limit holds none.
 *
 * @param responseIds [R]
 * @param eosIds all ids that end a response
 * @param row number of the response, for the message
 * @throws {DataError} if a token follows the first end
 * @example Ended, and cut
 * ```ts
 * import { eosFlags } from "@/lib/rl/response_end.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals([...eosFlags([5, 6, 2], [2])], [0, 0, 1]);
 * assertEquals([...eosFlags([5, 6, 7], [2])], [0, 0, 0]);
 * ```
 */
export function eosFlags(responseIds: Row, eosIds: readonly number[], row?: number): Uint8Array<ArrayBuffer> {
  const flags = Uint8Array.from(responseIds, (id) => eosIds.includes(id) ? 1 : 0);
  const first = flags.indexOf(1);
  if (first >= 0 && first < flags.length - 1) {
    throw new DataError(
      `Cannot score ${row === undefined ? "a response" : `response ${row}`} as nothing may follow its end: ` +
        `token ${first} of ${flags.length} is ${responseIds[first]}`,
      { column: "response_ids", ...(row === undefined ? {} : { row }) },
    );
  }
  return flags;
}
