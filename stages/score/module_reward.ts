/** An external reward by a module: a user's file that exports a function `reward`. @module */
import { callWithAll, checkUserModule, type UserModuleLimits } from "@/lib/model/evals/user_module.ts";
import { checkedValues, type ExternalReward } from "./external_reward.ts";

/**
 * Returns the function `reward` of a JavaScript or TypeScript module, which runs in a process of its own: once here, to see
 * that it loads, and once for every call, with all rows. Its values are checked: it throws a `DataError` if the module throws
 * or does not return a finite number for every row.
 * @throws {UsageError} if the module does not load or exports no such function
 */
export async function moduleReward(path: string, limits: UserModuleLimits = {}): Promise<ExternalReward> {
  const called = { path, name: "reward", what: "external reward" };
  await checkUserModule(called, limits);
  return async (rows) => checkedValues(await callWithAll(called, rows, limits), rows, path);
}
