/** An external reward by a module: a user's file that exports a function `reward`. @module */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { DataError, UsageError } from "@/lib/tensor/errors.ts";
import { checkedValues, type ExternalReward } from "./external_reward.ts";

/**
 * The function `reward` that a JavaScript or TypeScript module exports, its answers checked: a {@linkcode DataError} where it
 * throws, or gives other than a finite number for every row.
 * @throws {UsageError} if the module does not load or exports no such function
 */
export async function moduleReward(path: string): Promise<ExternalReward> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = await import(pathToFileURL(resolve(path)).href);
  } catch (cause) {
    const error = new UsageError(
      `Cannot use external reward ${path} as it must be a module that loads: ${messageOf(cause)}`,
    );
    error.cause = cause;
    throw error;
  }
  const { reward } = module;
  if (typeof reward !== "function") {
    const exported = Object.keys(module).join(", ") || "nothing";
    throw new UsageError(
      `Cannot use external reward ${path} as it must export a function "reward": it exports ${exported}`,
    );
  }
  return async (rows) => {
    let given: unknown;
    try {
      given = await reward(rows);
    } catch (cause) {
      throw new DataError(
        `Cannot use external reward ${path} as it must not throw: ${messageOf(cause)}`,
        { file: path },
        { cause },
      );
    }
    return checkedValues(given, rows, path);
  };
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
