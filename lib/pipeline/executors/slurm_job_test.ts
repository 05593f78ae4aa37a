/** The batch script of a job, run by a shell. */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { quoted } from "./shell_words.ts";
import { batchScript, exitCodeIn } from "./slurm_job.ts";

/** Starts the script of a job that runs `command` in a shell. */
function start(folder: string, command: string): Deno.ChildProcess {
  const script = join(folder, "job.sh");
  Deno.writeTextFileSync(script, batchScript(["sh", "-c", command], folder));
  return new Deno.Command("bash", { args: [script] }).spawn();
}

Deno.test("a job leaves its worker's output, errors and exit code, and ends with that code", async () => {
  using directory = new TemporaryDirectory();
  const { code } = await start(directory.path, "echo out; echo bad >&2; exit 65").status;
  assertEquals([code, exitCodeIn(directory.path)], [65, 65]);
  assertEquals(Deno.readTextFileSync(directory.file("messages.jsonl")), "out\n");
  assertEquals(Deno.readTextFileSync(directory.file("errors.log")), "bad\n");
});

Deno.test("SIGUSR1 before the time limit and SIGTERM reach the worker, whose exit code counts", async () => {
  for (const signal of ["SIGUSR1", "SIGTERM"] as const) {
    using directory = new TemporaryDirectory();
    const child = start(
      directory.path,
      "trap 'sleep 0.3; exit 75' TERM; echo ready; while :; do sleep 0.05; done",
    );
    const ready = () => Deno.readTextFileSync(directory.file("messages.jsonl"));
    while (true) {
      try {
        if (ready() !== "") break;
      } catch {
        // Not there yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals(exitCodeIn(directory.path), undefined);
    child.kill(signal);
    assertEquals([(await child.status).code, exitCodeIn(directory.path)], [75, 75], signal);
  }
});

Deno.test("words reach the shell unchanged", async () => {
  const words = ["a b", "it's", "$HOME", "*", "", "plain-word", 'quote"', "back\\slash", "line\nbreak", "äß"];
  const { stdout } = await new Deno.Command("bash", { args: ["-c", `printf '%s\\0' ${quoted(words)}`] })
    .output();
  assertEquals(new TextDecoder().decode(stdout).split("\0").slice(0, -1), words);
});
