/**
 * The permissions that depend on the machine, of the tasks in deno.json that start processes: `deno run task_flags.ts TASK`
 * prints them as flags of `deno run`. They are the environment variables that the task reads or passes on, and the programs
 * that it starts: the Deno that runs this (under `npx` the `deno` on PATH is another file) and, where it is installed,
 * setpriv, so that no child outlives its parent.
 * @module
 */
import { URL_TOKEN } from "@/lib/data/contracts/reached_hosts.ts";
import { installedSetpriv } from "@/lib/data/files/child_command.ts";
import {
  BASE_ENVIRONMENT,
  COMMAND_ENVIRONMENT,
  DOWNLOAD_ENVIRONMENT,
  EXECUTOR_ENVIRONMENT,
} from "@/lib/data/files/kept_environment.ts";

const COMMAND = [...BASE_ENVIRONMENT, ...COMMAND_ENVIRONMENT, URL_TOKEN];

const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  pipeline: [...COMMAND, ...DOWNLOAD_ENVIRONMENT, ...EXECUTOR_ENVIRONMENT],
  stage: [...COMMAND, ...DOWNLOAD_ENVIRONMENT],
  experiment: [...COMMAND, ...DOWNLOAD_ENVIRONMENT],
  evaluate: [...COMMAND, ...DOWNLOAD_ENVIRONMENT],
  serve: [...COMMAND, "PORT", "SRPPO_TOKEN"],
  bench: BASE_ENVIRONMENT,
};

/** Returns the flags of a task. */
export function taskFlags(task: string): string[] {
  const programs = [Deno.execPath(), ...installedSetpriv().slice(0, 1), ...(task === "bench" ? ["cat"] : [])];
  return [`--allow-env=${VARIABLES[task]!.join(",")}`, `--allow-run=${programs.join(",")}`];
}

if (import.meta.main) console.log(taskFlags(Deno.args[0]!).join(" "));
