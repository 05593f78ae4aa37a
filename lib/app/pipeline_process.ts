/**
 * `deno task pipeline` in a separate process, as an experiment starts it: with the permissions of the task; its events
 * are read from its standard output.
 * @module
 */
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { jsonObjectIn } from "@/lib/data/files/strict_json.ts";
import { linesOf } from "@/lib/pipeline/engine/lines_of.ts";
import project from "@/deno.json" with { type: "json" };
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { URL_TOKEN } from "@/lib/data/contracts/reached_hosts.ts";
import { childCommand, sendSignal } from "@/lib/data/files/child_command.ts";
import { COMMAND_ENVIRONMENT, DOWNLOAD_ENVIRONMENT } from "@/lib/data/files/kept_environment.ts";
import { ORPHAN_WARNING, STOP_NOTICE } from "./stopping.ts";
import { taskFlags } from "./task_flags.ts";

/** How a run ended. */
export interface PipelineEnd {
  readonly code: number;
  /** its standard error, without the lines that the experiment itself prints */
  readonly message: string;
}

/** What every command prints about itself. */
const NOTICES = [STOP_NOTICE, ORPHAN_WARNING];

/** Returns the flags of Deno with which the task `pipeline` starts its launcher. */
export function launcherFlags(command: string): string[] {
  const [, ...words] = command.replace(/\$\([^)]*\)/, taskFlags("pipeline").join(" ")).split(" ");
  return words.slice(0, words.findIndex((word) => word.endsWith("start.ts")));
}

/**
 * Runs the pipeline with `args` and waits for its end. When `signal` is aborted, the process saves after the current
 * step; when `kill` is, it ends with all processes below it.
 * @param root directory to which relative paths belong, as if the user had run the command there
 */
export async function runPipelineProcess(
  args: readonly string[],
  { root, signal, kill, keepEnv, allowHosts, followLinks, listener }: {
    readonly root: string;
    readonly signal: AbortSignal;
    readonly kill: AbortSignal;
    /** names of environment variables for its stages */
    readonly keepEnv: readonly string[];
    /** addresses in manifests that its stages may connect to */
    readonly allowHosts: readonly string[];
    readonly followLinks: boolean;
    readonly listener: (event: RunEvent) => void;
  },
): Promise<PipelineEnd> {
  const child = childCommand(Deno.execPath(), [
    ...launcherFlags(project.tasks.pipeline.command),
    new URL("start.ts", import.meta.url).href,
    "pipeline",
    ...args,
    ...keepEnv.map((name) => `--keep-env=${name}`),
    ...allowHosts.map((host) => `--allow-host=${host}`),
    ...(followLinks ? ["--follow-links"] : []),
    "--no-estimate", // an experiment's runs are too many to look at, and each estimate takes time
    "--json",
  ], {
    keep: [...COMMAND_ENVIRONMENT, ...DOWNLOAD_ENVIRONMENT, URL_TOKEN, ...keepEnv],
    // With INIT_CWD, the launcher ends when this process does, as under a task that is killed.
    set: { INIT_CWD: root },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // Not SIGTERM, which would set a deadline: this process has it already.
  const stop = () => sendSignal(child, Deno.build.os === "windows" ? "SIGTERM" : "SIGUSR2");
  const end = () => sendSignal(child, "SIGKILL");
  signal.addEventListener("abort", stop, { once: true });
  kill.addEventListener("abort", end, { once: true });
  if (signal.aborted) stop();
  try {
    const [status, message] = await Promise.all([
      child.status,
      new Response(child.stderr).text(),
      readEvents(child.stdout, listener),
    ]);
    return {
      code: status.signal !== null && signal.aborted ? EXIT.tryAgain : status.code,
      message: NOTICES.reduce((text, notice) => text.replaceAll(`${notice}\n`, ""), message).trim(),
    };
  } finally {
    signal.removeEventListener("abort", stop);
    kill.removeEventListener("abort", end);
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
