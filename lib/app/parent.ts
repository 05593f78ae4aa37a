/**
 * The task that started a command: the directory where the user ran it, and its end.
 * @module
 */
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { readEnvironment } from "@/lib/data/files/kept_environment.ts";

/**
 * Returns the directory where the user ran `deno task` (which itself runs beside deno.json), else the current one.
 * @throws {UsageError} if its path is not UTF-8: Deno would read and write files under another name
 */
export function workingDirectory(): string {
  return taskDirectory() ?? Deno.cwd();
}

/** Returns INIT_CWD, which `deno task` sets. */
function taskDirectory(): string | undefined {
  // Without permission: started without a task.
  return readEnvironment(["INIT_CWD"])["INIT_CWD"];
}

/** Ends this process when its standard input ends: the launcher at the other end has ended. */
export async function endWithParent(): Promise<void> {
  const buffer = new Uint8Array(64);
  while (await Deno.stdin.read(buffer) !== null);
  Deno.exit(EXIT.tryAgain);
}

/** Ends this process when the `deno task` above it is killed: nothing could stop it afterwards. */
export function endWithTask(): void {
  if (taskDirectory() === undefined) return;
  const parent = Deno.ppid;
  const timer = setInterval(() => Deno.ppid !== parent && Deno.exit(EXIT.tryAgain), 250);
  Deno.unrefTimer(timer);
}
