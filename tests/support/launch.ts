/** Starts `deno task pipeline` and `deno task stage` as deno.json does, without the shell. @module */
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";

/** How a command ended and what it said. */
export interface Finished {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The words of a command line that starts the launcher with the permissions that the tasks in deno.json give it. */
export function commandOf(args: readonly string[]): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(projectRoot, "deno.json"))) as {
    tasks: Record<string, { command: string }>;
  };
  const [command, ...rest] = args as [string, ...string[]];
  const flags = tasks[command]!.command.replace(/\$\([^)]*\)/, Deno.execPath()).split(" ").slice(1);
  return [Deno.execPath(), ...flags, ...rest];
}

/** Starts the launcher. `args`: the task's name and its flags. */
export function launch(args: readonly string[]): Deno.ChildProcess {
  const [program, ...words] = commandOf(args);
  return new Deno.Command(program!, {
    args: words,
    cwd: projectRoot,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Waits for the end of `child`. */
export async function finish(child: Deno.ChildProcess): Promise<Finished> {
  const { code, stdout, stderr } = await child.output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}
