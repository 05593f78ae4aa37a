/**
 * `deno task pipeline` in a process of its own, as an experiment starts it: with the permissions that the task has, its
 * events read from its standard output.
 * @module
 */
import type { RunEvent } from "@/lib/contracts/events.ts";
import { jsonObjectIn } from "@/lib/files/strict_json.ts";
import { linesOf } from "@/lib/pipeline/lines_of.ts";
import project from "@/deno.json" with { type: "json" };

/** How a run ended. */
export interface PipelineEnd {
  readonly code: number;
  /** what it wrote to its standard error, without the line that a stop adds */
  readonly message: string;
}

/** The flags of Deno that the task `pipeline` gives its launcher. */
export function launcherFlags(command: string, deno: string): string[] {
  const [, ...words] = command.replace(/\$\([^)]*\)/, deno).split(" ");
  return words.slice(0, words.findIndex((word) => word.endsWith("launcher.ts")));
}

/**
 * Runs the pipeline with `args` and waits for its end. When `signal` is aborted, it is asked to stop as by SIGTERM.
 * @param root where relative paths start, as if the user had typed the command there
 */
export async function runPipelineProcess(
  args: readonly string[],
  { root, signal, listener }: {
    readonly root: string;
    readonly signal: AbortSignal;
    readonly listener: (event: RunEvent) => void;
  },
): Promise<PipelineEnd> {
  const deno = Deno.execPath();
  const child = new Deno.Command(deno, {
    args: [
      ...launcherFlags(project.tasks.pipeline.command, deno),
      new URL("launcher.ts", import.meta.url).href,
      "pipeline",
      ...args,
      "--json",
    ],
    // With it, the launcher ends when this process does, as under a task that is killed.
    env: { INIT_CWD: root },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stop = () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const [status, message] = await Promise.all([
      child.status,
      new Response(child.stderr).text(),
      readEvents(child.stdout, listener),
    ]);
    return {
      code: status.code,
      message: message.replaceAll(/^Stopping after the step in hand.*\n/gm, "").trim(),
    };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Hands over every line of `stream` that is an event; a line that a kill cut short is none. */
async function readEvents(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  listener: (event: RunEvent) => void,
): Promise<void> {
  for await (const line of linesOf(stream)) {
    const event = jsonObjectIn(line);
    if (event) listener(event as unknown as RunEvent);
  }
}
