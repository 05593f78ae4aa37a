/** An external reward by a module: a user's file that exports a function `reward`. @module */
import { exportedFunction } from "@/lib/evals/exported_function.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { checkedValues, type ExternalReward } from "./external_reward.ts";

/**
 * The function `reward` that a JavaScript or TypeScript module exports, its answers checked: a {@linkcode DataError} where it
 * throws, or gives other than a finite number for every row.
 * @throws {UsageError} if the module does not load or exports no such function
 */
export async function moduleReward(path: string): Promise<ExternalReward> {
  const reward = await exportedFunction(path, { name: "reward", what: "external reward" });
  return async (rows) => {
    let given: unknown;
    try {
      given = await reward(rows);
    } catch (cause) {
      throw new DataError(
        `Cannot use external reward ${path} as it must not throw: ${
          cause instanceof Error ? cause.message : String(cause)
        }`,
        { file: path },
        { cause },
      );
    }
    return checkedValues(given, rows, path);
  };
}
