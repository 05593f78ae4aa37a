/** Interrupts runs of the small quickstart by a signal after a chosen event. @module */
import { join } from "node:path";
import { permissionFlags } from "@/lib/app/relaunch.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { childPrograms } from "@/lib/data/files/child_command.ts";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import type { Finished } from "@/tests/support/launch.ts";
import type { SmallQuickstart } from "./small_quickstart.ts";

/** The end of a run that was interrupted, with its events. */
export interface Interrupted extends Omit<Finished, "out"> {
  readonly events: readonly RunEvent[];
}

/** Starts the pipeline's own process without the launcher, so that a signal reaches only this process. */
export function startBare(
  quickstart: SmallQuickstart,
  run: string,
  ...more: readonly string[]
): Deno.ChildProcess {
  const permissions = permissionFlags({
    read: [projectRoot, quickstart.file(""), "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"],
    write: [quickstart.file(run)],
    sys: ["systemMemoryInfo", "statfs"],
    run: childPrograms(),
    ffi: true,
  });
  const module = join(projectRoot, "lib/app/pipeline_command.ts");
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--cached-only",
      "--allow-env",
      ...permissions,
      module,
      ...quickstart.flags(run, "--json", ...more),
    ],
    cwd: projectRoot,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Sends `signal` to `child` after an event for which `when` returns true, and waits for its end. */
export async function interrupt(
  child: Deno.ChildProcess,
  signal: Deno.Signal,
  when: (event: RunEvent) => boolean | Promise<boolean>,
): Promise<Interrupted> {
  const stderr = new Response(child.stderr).text();
  const events: RunEvent[] = [];
  let sent = false;
  for await (const line of linesOf(child.stdout)) {
    const event = JSON.parse(line) as RunEvent;
    events.push(event);
    if (sent || !await when(event)) continue;
    sent = true;
    kill(child, signal);
  }
  const { code } = await child.status;
  return { code, err: await stderr, events };
}

/** Sends `signal` to `child`, which may have ended by itself. */
export function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Yields complete lines; text after the last line break is dropped, as a killed program may end within a line. */
async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
