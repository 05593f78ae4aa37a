/**
 * Prints the programs that a command starts, as `--allow-run` takes them: the Deno that runs this (under `npx` the `deno` on
 * PATH is another file), and setpriv where it is installed, so that no child outlives its parent.
 * @module
 */
import { installedSetpriv } from "@/lib/data/files/child_command.ts";

console.log([Deno.execPath(), ...installedSetpriv().slice(0, 1)].join(","));
