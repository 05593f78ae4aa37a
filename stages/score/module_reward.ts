/** An external reward by a module: a user's file that exports a function `reward`. @module */
import { exportedFunction } from "@/lib/model/evals/exported_function.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { checkedValues, type ExternalReward } from "./external_reward.ts";

/**
 * Returns the function `reward` of a JavaScript or TypeScript module. Its values are checked: it throws a {@linkcode DataError}
 * if the module throws or does not return a finite number for every row.
 * @throws {UsageError} if the module does not load or exports no such function
 */
export async function moduleReward(path: string): Promise<ExternalReward> {
  const reward = await exportedFunction(path, { name: "reward", what: "external reward" });
  return async (rows) => {
    let values: unknown;
    try {
      values = await reward(rows);
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      throw new DataError(`external reward ${path} failed: ${what}`, { file: path }, { cause });
    }
    return checkedValues(values, rows, path);
  };
}
