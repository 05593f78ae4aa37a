/** Stages that never yield, and parents, clients and servers that end: nothing may run on, and no slot may stay taken. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { createServer } from "@/lib/app/server.ts";
import { openDataRoot } from "@/lib/app/data_root.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { ORPHAN_WARNING } from "@/lib/app/stopping.ts";
import { installedSetpriv } from "@/lib/data/files/child_command.ts";
import { processExecutor } from "@/lib/pipeline/executors/process_executor.ts";
import { toyStages } from "@/tests/pipeline/toy.ts";
import { commandOf } from "@/tests/support/launch.ts";
import {
  descendantsOf,
  eventually,
  orphansOf,
  running,
  startStuck,
} from "@/tests/support/stuck_processes.ts";
import type { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import type { Attack } from "./attack.ts";

const EXECUTORS = ["inline", "process"] as const;

/** kill -9 of the launcher while a stage computes. */
async function killParent(directory: TemporaryDirectory, executor: string): Promise<void> {
  const { launcher, pids } = await startStuck(directory.file("run"), executor);
  assertEquals(running(pids), pids);
  launcher.kill("SIGKILL");
  await launcher.status;
  assertEquals(await orphansOf(pids), []);
}

async function terminate(directory: TemporaryDirectory, executor: string): Promise<void> {
  const { launcher, pids, err } = await startStuck(directory.file("run"), executor, { grace: 1 });
  launcher.kill("SIGTERM");
  launcher.kill("SIGTERM");
  const { code } = await launcher.status;
  assertEquals([code, await orphansOf(pids)], [75, []]);
  assertMatch(
    await err,
    executor === "inline" ? /^Killed: .* within 1 s of SIGTERM/m : /Interrupted: 0 of 1 stages/,
  );
}

async function pressTwice(directory: TemporaryDirectory, executor: string): Promise<void> {
  const { launcher, pids, err } = await startStuck(directory.file("run"), executor);
  launcher.kill("SIGINT");
  await new Promise((resolve) => setTimeout(resolve, 500));
  assertEquals(running(pids), pids, "the first Ctrl-C waits for the step");
  launcher.kill("SIGINT");
  const { code } = await launcher.status;
  assertEquals([code, await orphansOf(pids)], [75, []]);
  assertMatch(await err, /^Killed: Ctrl-C was pressed twice/m);
}

/** A server of one slot with the stage that never yields. */
function stuckServer(directory: TemporaryDirectory, options: { readonly timeout?: number } = {}) {
  Deno.mkdirSync(directory.file("data"));
  const server = createServer({
    root: openDataRoot(directory.file("data")),
    stages: toyStages,
    executor: processExecutor({ stages: toyStages, root: projectRoot }),
    threads: 1,
    cores: 1,
    grace: 1,
    ...options,
  });
  return {
    server,
    /** Starts a run; resolves with its events and its stage's process id once it computes. */
    async start(output: string) {
      const body = JSON.stringify({ outputs: { text: output } });
      const headers = { "Content-Type": "application/json", Host: "127.0.0.1" };
      const response = await server.fetch(
        new Request("http://127.0.0.1/stages/never-yield", { method: "POST", body, headers }),
      );
      assertEquals(response.status, 200);
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      while (!/"pid":(\d+)/.test(text)) text += (await reader.read()).value;
      return { pid: Number(/"pid":(\d+)/.exec(text)![1]), reader };
    },
    async untilFree() {
      const isFree = async () =>
        (await (await server.fetch(new Request("http://127.0.0.1/healthz"))).json()).running === 0;
      const end = performance.now() + 30_000;
      while (!await isFree() && performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert(await isFree(), "the slot is free again");
    },
  };
}

/** A hub that accepts requests and never answers. */
class SilentHub implements Disposable {
  #wake = () => {};
  readonly #end = new AbortController();
  readonly #server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", signal: this.#end.signal, onListen() {} },
    () => {
      this.#wake();
      return new Promise<Response>(() => {});
    },
  );
  readonly endpoint = `http://127.0.0.1:${this.#server.addr.port}`;

  /** Resolves at the next request. */
  asked(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  [Symbol.dispose](): void {
    this.#end.abort();
  }
}

/** The arguments of `tokenize` with a model of the hub. */
function stageArguments(directory: TemporaryDirectory, model: string): string[] {
  return [
    ...["stage", "tokenize", `--hub-cache=${directory.file("cache")}`, `--in.model=${model}`],
    ...[
      "--in.demonstrations=fixtures/quickstart/demos.jsonl",
      `--out.train=${directory.file("train.arrow")}`,
    ],
  ];
}

/** Reads the rest of a stream of events. */
async function restOf(reader: ReadableStreamDefaultReader<string>): Promise<string> {
  let text = "";
  for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
  return text;
}

export const attacks: readonly Attack[] = [
  ...EXECUTORS.flatMap((executor): Attack[] => [
    {
      name: `kill -9 of the parent of a stage that never yields leaves no process (${executor})`,
      slow: executor === "process",
      run: (directory) => killParent(directory, executor),
    },
    {
      name: `SIGTERM twice ends a stage that never yields at the end of the grace period (${executor})`,
      slow: true,
      run: (directory) => terminate(directory, executor),
    },
    {
      name: `Ctrl-C twice ends a stage that never yields (${executor})`,
      slow: true,
      run: (directory) => pressTwice(directory, executor),
    },
  ]),
  {
    name:
      "kill -9 of the launcher, or of the task above it, ends a download from a hub that does not respond",
    slow: true,
    async run(directory) {
      using hub = new SilentHub();
      for (const victim of ["launcher", "task"] as const) {
        const args = stageArguments(directory, `hf:org/${victim}`);
        const [program, ...words] = victim === "task"
          ? [Deno.execPath(), "task", "--quiet", ...args]
          : commandOf(args);
        const child = new Deno.Command(program!, {
          args: words,
          cwd: projectRoot,
          env: { NO_COLOR: "1", HF_ENDPOINT: hub.endpoint },
          stdout: "null",
          stderr: "null",
        }).spawn();
        await hub.asked();
        const below = descendantsOf(child.pid);
        assert(below.length >= (victim === "task" ? 2 : 1), `processes below: ${below.join(" ")}`);
        child.kill("SIGKILL");
        await child.status;
        assertEquals(await orphansOf(below), []);
      }
    },
  },
  {
    name: "kill -9 of the task above an experiment ends its runs and their stages",
    slow: true,
    async run(directory) {
      const task = new Deno.Command(Deno.execPath(), {
        args: ["task", "--quiet", "experiment", "quickstart", "--seeds=1", `--out=${directory.file("out")}`],
        cwd: projectRoot,
        env: { NO_COLOR: "1" },
        stdout: "null",
        stderr: "null",
      }).spawn();
      // Launcher, experiment, launcher of a run, its pipeline.
      const below = await eventually(() => {
        const found = descendantsOf(task.pid);
        return found.length >= 4 ? found : undefined;
      }, "the processes of an experiment");
      task.kill("SIGKILL");
      await task.status;
      assertEquals(await orphansOf(below), []);
    },
  },
  {
    name: "without setpriv a pipeline warns once and runs",
    slow: true,
    async run(directory) {
      const [setpriv] = installedSetpriv();
      const hide = setpriv === undefined ? "" : `mount --bind /dev/null ${setpriv} && `;
      const child = new Deno.Command("unshare", {
        args: [
          ...["--user", "--map-root-user", "--mount", "sh", "-c", `${hide}exec deno "$@"`, "sh"],
          ...["task", "--quiet", "pipeline", "--to=tokenize", "--executor=process"],
          `--run-dir=${directory.file("run")}`,
        ],
        cwd: projectRoot,
        env: { NO_COLOR: "1" },
        stdout: "null",
        stderr: "piped",
      });
      const { code, stderr } = await child.output();
      assertEquals([code, new TextDecoder().decode(stderr)], [0, `${ORPHAN_WARNING}\n`]);
    },
  },
  {
    name: "two clients that leave runs that never yield free their slots",
    slow: true,
    async run(directory) {
      const { start, untilFree, server } = stuckServer(directory);
      for (const output of ["a.txt", "b.txt"]) {
        const { pid, reader } = await start(output);
        await reader.cancel();
        await untilFree();
        assertEquals(await orphansOf([pid]), []);
      }
      assertEquals(await server.stop(), 0);
    },
  },
  {
    name: "a server that stops does not wait for a run that never yields",
    slow: true,
    async run(directory) {
      const { start, server } = stuckServer(directory);
      const { pid, reader } = await start("a.txt");
      const [stopped, text] = await Promise.all([server.stop(), restOf(reader)]);
      assertEquals([stopped, await orphansOf([pid])], [1, []]);
      assertMatch(text, /event: failed\ndata: .*"exit_code":75/);
    },
  },
  {
    name: "a run that never yields ends at the server's --timeout",
    slow: true,
    async run(directory) {
      const { start, untilFree, server } = stuckServer(directory, { timeout: 1 });
      const { pid, reader } = await start("a.txt");
      assertMatch(await restOf(reader), /event: failed\ndata: .*"exit_code":75/);
      await untilFree();
      assertEquals([await server.stop(), await orphansOf([pid])], [0, []]);
    },
  },
];
