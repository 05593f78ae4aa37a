/** The commands that inspect a run, with the permissions of their tasks. @module */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { finish, type Finished, launch } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import project from "@/deno.json" with { type: "json" };
import { projectRoot } from "../project_root.ts";

type Task = "cancel" | "diff" | "gc" | "lineage" | "logs" | "status";

/** Runs a task as deno.json does. */
function task(name: Task, ...args: string[]): Promise<Finished> {
  const [program, ...words] = project.tasks[name].command.split(" ");
  assertEquals(program, "deno");
  return finish(
    new Deno.Command(Deno.execPath(), {
      args: [...words, ...args],
      cwd: projectRoot,
      env: { NO_COLOR: "1" },
      stdout: "piped",
      stderr: "piped",
    }).spawn(),
  );
}

Deno.test("status, logs, lineage, diff and gc of a run", async () => {
  using directory = new TemporaryDirectory();
  const run = directory.file("run");
  const { code, err } = await finish(launch(["pipeline", `--run-dir=${run}`, "--to=tokenize"]));
  assertEquals([code, err], [0, ""]);
  const status = await task("status", run);
  assertEquals([status.code, status.err], [0, ""]);
  assert(
    status.out.startsWith(`${run}: finished, `) && status.out.includes("tokenize  done  1/1"),
    status.out,
  );
  const logs = await task("logs", "tokenize", run, "--follow");
  assert(/tokenize: finished in \d/.test(logs.out), logs.out + logs.err);
  const wrong = await task("logs", "tokenise", run);
  assertEquals([wrong.code, wrong.err], [
    64,
    'Expected a stage of the run, got "tokenise", did you mean "tokenize"?\n',
  ]);
  const [view] = Array.from(Deno.readDirSync(join(run, "store/views")), ({ name }) => name);
  const lineage = await task("lineage", join(run, "store/views", view!, "train.arrow"));
  assert(lineage.out.includes("demonstrations[0] from demonstrations"), lineage.out + lineage.err);
  const diff = await task("diff", run, run);
  assertEquals(diff.out, `${run} → ${run}\nsame inputs, parameters, code and seed\n`);
  assertEquals((await task("gc", run)).out, "Would delete 0 results, 0 B\n");
  const none = await task("gc");
  assertEquals([none.code, none.err], [
    64,
    "Invalid flags (see --help): expected at least one run directory to keep\n",
  ]);
  const cancel = await task("cancel", run);
  assertEquals([cancel.code, cancel.err], [64, `No run is in progress in ${run}\n`]);
});

Deno.test("a detached run outlives its command; status finds it and cancel stops it, to be resumed", async () => {
  using directory = new TemporaryDirectory();
  const run = directory.file("run"), flags = ["pipeline", `--run-dir=${run}`, "--to=sft", "--threads=1"];
  const started = await finish(launch([...flags, "--detach"]));
  assertEquals([started.code, started.err], [0, ""]);
  assert(/^Runs in the background, in process \d+\./.test(started.out), started.out);
  const again = await finish(launch([...flags, "--detach"]));
  assertEquals(again.code, 64);
  assert(again.err.startsWith(`Run directory ${run} is in use by process `), again.err);
  const running = await task("status", run, "--json");
  assertEquals(JSON.parse(running.out).state, "running");
  const cancel = await task("cancel", run, "--grace=300");
  assertEquals([cancel.code, cancel.out], [0, `Stopped the run in ${run}: run the same command to resume\n`]);
  const stopped = await task("status", run, "--json");
  assertEquals([stopped.code, JSON.parse(stopped.out).state], [75, "interrupted"]);
  assert(Deno.readTextFileSync(join(run, "detached.log")).includes("Interrupted: "));
});

Deno.test("--detach shows the errors of a run that does not begin", async () => {
  using directory = new TemporaryDirectory();
  const run = directory.file("run");
  const { code, err } = await finish(
    launch(["pipeline", `--run-dir=${run}`, "--set=sft.epochs=none", "--detach"]),
  );
  assertEquals(code, 64);
  assert(err.includes("epochs"), err);
});
