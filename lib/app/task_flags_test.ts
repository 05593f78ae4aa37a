import { assert, assertEquals } from "@std/assert";
import project from "@/deno.json" with { type: "json" };
import { taskFlags } from "./task_flags.ts";

Deno.test("every task that starts processes gets its variables and programs from taskFlags()", () => {
  for (const task of ["pipeline", "stage", "experiment", "serve", "bench"] as const) {
    const { command } = project.tasks[task];
    assert(command.includes(`lib/app/task_flags.ts ${task})`), command);
    assertEquals([...command.matchAll(/--allow-(?:env|run|all)|-A/g)].length, 0, command);
    const [env, run, ...rest] = taskFlags(task);
    assert(env!.startsWith("--allow-env=PATH,HOME,") && run!.startsWith(`--allow-run=${Deno.execPath()}`));
    assertEquals(rest, []);
  }
});

Deno.test("only the server may read its token, and only what downloads that of the hub", () => {
  const readers = (name: string) =>
    ["pipeline", "stage", "experiment", "serve", "bench"].filter((task) =>
      taskFlags(task)[0]!.slice("--allow-env=".length).split(",").includes(name)
    );
  assertEquals(readers("SRPPO_TOKEN"), ["serve"]);
  assertEquals(readers("HF_TOKEN"), ["pipeline", "stage", "experiment"]);
});
