/** `kill -9` at any moment, then the same command: the same bytes as an undisturbed run in another store. @module */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { childPrograms } from "@/lib/data/files/child_command.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { randomNumbers } from "@/tests/support/random_numbers.ts";
import { ToyProject } from "./toy.ts";

function start(toy: ToyProject, runDir: string, executor: string): Deno.ChildProcess {
  const write = `${runDir}`;
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--cached-only",
      `--allow-read=${projectRoot},${toy.path},/proc/cpuinfo`,
      `--allow-write=${write}`,
      "--allow-env",
      "--allow-sys=systemMemoryInfo,statfs",
      "--allow-ffi",
      `--allow-run=${childPrograms().join(",")}`,
      join(projectRoot, "tests/pipeline/toy_program.ts"),
      toy.path,
      runDir,
      executor,
      "4",
    ],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The digest of `outputs/` and the keys of all nodes, as the program prints them. */
async function finish(toy: ToyProject, runDir: string, executor: string): Promise<unknown> {
  const { code, stdout, stderr } = await start(toy, runDir, executor).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const { keys } = JSON.parse(new TextDecoder().decode(stdout)) as { keys: string[] };
  return { keys, outputs: digestDirectory(join(runDir, "outputs")) };
}

Deno.test("kill -9 at random moments, then the same command, gives the same bytes", async () => {
  using toy = new ToyProject();
  const undisturbed = await finish(toy, toy.file("undisturbed"), "inline");
  for (const executor of ["inline", "process"]) {
    const random = randomNumbers(executor.length);
    const runDir = toy.file(executor);
    for (let i = 0; i < 5; i++) {
      const child = start(toy, runDir, executor);
      // From the start of the program to a point where the run is nearly or quite done.
      await new Promise((resolve) =>
        setTimeout(resolve, 150 + 650 * random() * (executor === "inline" ? 1 : 2))
      );
      try {
        child.kill("SIGKILL");
      } catch {
        // It was done before.
      }
      await child.output();
    }
    assertEquals(await finish(toy, runDir, executor), undisturbed);
  }
});
