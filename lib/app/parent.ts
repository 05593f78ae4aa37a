/**
 * What a command inherits from the task that started it: the folder where the user typed it, and its end.
 * @module
 */
import { EXIT } from "@/lib/tensor/errors.ts";

/** Folder where the user called `deno task`, which itself runs in the folder of deno.json; else the current folder. */
export function workingDirectory(): string {
  return taskDirectory() ?? Deno.cwd();
}

/** INIT_CWD, which `deno task` sets. */
function taskDirectory(): string | undefined {
  try {
    return Deno.env.get("INIT_CWD");
  } catch {
    // Started by hand, without the permission that tasks give.
    return undefined;
  }
}

/** Ends this process when its standard input does: the launcher at the other end is gone, however it went. */
export async function endWithParent(): Promise<void> {
  const buffer = new Uint8Array(64);
  while (await Deno.stdin.read(buffer) !== null);
  Deno.exit(EXIT.tryAgain);
}

/** Ends this process when the `deno task` above it is killed: nobody could stop it afterwards. */
export function endWithTask(): void {
  if (taskDirectory() === undefined) return;
  const parent = Deno.ppid;
  const timer = setInterval(() => Deno.ppid !== parent && Deno.exit(EXIT.tryAgain), 250);
  Deno.unrefTimer(timer);
}
