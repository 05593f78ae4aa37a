/** Starts `stuck_pipeline.ts` and looks at processes in /proc. @module */
import { join } from "node:path";
import { kernelText } from "@/lib/app/machine.ts";
import { projectRoot } from "@/lib/app/project_root.ts";

/** A started launcher whose stage never yields, and the processes below it. */
export interface Stuck {
  readonly launcher: Deno.ChildProcess;
  /** process ids of the pipeline and of its stage, which are the same for the inline executor */
  readonly pids: readonly number[];
  /** what the launcher and its children print on standard error */
  readonly err: Promise<string>;
}

/** Starts the pipeline and waits until its stage computes. */
export async function startStuck(
  runDir: string,
  executor: string,
  { grace = 600, env = {} }: { readonly grace?: number; readonly env?: Readonly<Record<string, string>> } =
    {},
): Promise<Stuck> {
  const launcher = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      join(projectRoot, "tests/support/stuck_pipeline.ts"),
      runDir,
      executor,
      `${grace}`,
    ],
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const err = new Response(launcher.stderr).text();
  const reader = launcher.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The pipeline ended at once: ${await err}`);
    text += value;
  }
  reader.cancel();
  await new Promise((resolve) => setTimeout(resolve, 500)); // now it computes
  return { launcher, pids: JSON.parse(text.split("\n")[0]!) as number[], err };
}

/** Returns those of the processes that still run. A zombie has ended. */
export function running(pids: readonly number[]): number[] {
  return pids.filter((pid) => {
    const status = kernelText(`/proc/${pid}/status`);
    return status !== undefined && !/^State:\s+[ZX]/m.test(status);
  });
}

/** Waits until none of the processes runs, and returns those that still do after `seconds`. */
export async function orphansOf(pids: readonly number[], seconds = 10): Promise<number[]> {
  const end = performance.now() + 1000 * seconds;
  while (running(pids).length > 0 && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return running(pids);
}

/** Returns the names and values of a process's environment. */
export function environmentOf(pid: number): Record<string, string> {
  const pairs = (kernelText(`/proc/${pid}/environ`) ?? "").split("\0").filter((pair) => pair.includes("="));
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
}

/** Returns the processes below one, children first. */
export function descendantsOf(pid: number): number[] {
  const children = (kernelText(`/proc/${pid}/task/${pid}/children`) ?? "").trim().split(/\s+/).filter(
    Boolean,
  );
  return children.map(Number).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Waits until `find` returns a value, at most a minute. */
export async function eventually<T>(find: () => T | undefined, what: string): Promise<T> {
  for (const end = performance.now() + 60_000; performance.now() < end;) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Not found within a minute: ${what}`);
}
