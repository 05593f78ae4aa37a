/**
 * `deno task pipeline` in a separate process, as an experiment starts it: with the permissions of the task; its events
 * are read from its standard output.
 * @module
 */
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { jsonObjectIn } from "@/lib/data/files/strict_json.ts";
import { linesOf } from "@/lib/pipeline/engine/lines_of.ts";
import project from "@/deno.json" with { type: "json" };
import { STOP_NOTICE } from "./command.ts";

/** How a run ended. */
export interface PipelineEnd {
  readonly code: number;
  /** its standard error, without the line printed when it is interrupted */
  readonly message: string;
}

/** Returns the flags of Deno with which the task `pipeline` starts its launcher. */
export function launcherFlags(command: string, deno: string): string[] {
  const [, ...words] = command.replace(/\$\([^)]*\)/, deno).split(" ");
  return words.slice(0, words.findIndex((word) => word.endsWith("start.ts")));
}

/**
 * Runs the pipeline with `args` and waits for its end. When `signal` is aborted, the process gets SIGTERM.
 * @param root directory to which relative paths belong, as if the user had run the command there
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
      new URL("start.ts", import.meta.url).href,
      "pipeline",
      ...args,
      "--json",
    ],
    // With INIT_CWD, the launcher ends when this process does, as under a task that is killed.
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
      message: message.replaceAll(`${STOP_NOTICE}\n`, "").trim(),
    };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Calls `listener` with every line of `stream` that is an event; a line truncated by a kill is not. */
async function readEvents(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  listener: (event: RunEvent) => void,
): Promise<void> {
  for await (const line of linesOf(stream)) {
    const event = jsonObjectIn(line);
    if (event) listener(event as unknown as RunEvent);
  }
}
