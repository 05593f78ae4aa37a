/** Starts `deno task pipeline` and `deno task stage` as deno.json does, without the shell. @module */
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { taskFlags } from "@/lib/app/task_flags.ts";

/** The end of a command: exit code and output. */
export interface Finished {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Returns the command line that starts the launcher with the permissions of the tasks in deno.json. */
export function commandOf(args: readonly string[]): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(projectRoot, "deno.json"))) as {
    tasks: Record<string, { command: string }>;
  };
  const [command, ...rest] = args as [string, ...string[]];
  const flags = tasks[command]!.command.replace(/\$\([^)]*\)/, taskFlags(command).join(" ")).split(" ").slice(
    1,
  );
  return [Deno.execPath(), ...flags, ...rest];
}

/** Starts the launcher. @param args the task's name and its flags */
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

/** Waits for the end of `child` and returns its exit code and output. */
export async function finish(child: Deno.ChildProcess): Promise<Finished> {
  const { code, stdout, stderr } = await child.output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}
