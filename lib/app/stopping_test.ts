import { assertEquals } from "@std/assert";
import { projectRoot } from "./project_root.ts";

/** Starts a process that waits, with `waitWithSignals()`, for a child that runs `program` and prints a line first. */
async function start(program: string, grace = 25): Promise<Deno.ChildProcess> {
  const waiting = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { waitWithSignals } from ${JSON.stringify(new URL("./stopping.ts", import.meta.url).href)};
       const args = ["eval", ${JSON.stringify(program)}];
       const child = new Deno.Command(Deno.execPath(), { args, stdin: "null" }).spawn();
       Deno.exit(await waitWithSignals(child, ${grace}));`,
    ],
    cwd: projectRoot,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  await waiting.stdout.values().next();
  return waiting;
}

/** A program that ends with 7 at `last` and ignores other signals. */
function listener(last: Deno.Signal): string {
  return `for (const name of ["SIGINT", "SIGTERM", "SIGUSR2"]) {
      Deno.addSignalListener(name, () => name === "${last}" && Deno.exit(7));
    }
    console.log("ready"); setTimeout(() => {}, 60_000);`;
}

Deno.test("waitWithSignals() gives the exit code of a child, and 70 where another program killed it", async () => {
  const codeOf = async (program: string) => (await (await start(program)).status).code;
  assertEquals(await codeOf(`console.log("ready"); Deno.exit(3);`), 3);
  assertEquals(await codeOf(`console.log("ready"); Deno.kill(Deno.pid, "SIGKILL");`), 70);
});

Deno.test("waitWithSignals() passes SIGTERM on, and SIGINT and SIGUSR2 as SIGUSR2", async () => {
  for (
    const [sent, got] of [["SIGTERM", "SIGTERM"], ["SIGINT", "SIGUSR2"], ["SIGUSR2", "SIGUSR2"]] as const
  ) {
    const waiting = await start(listener(got));
    waiting.kill(sent);
    assertEquals((await waiting.status).code, 7, sent);
  }
});

Deno.test("waitWithSignals() kills a child that does not end within the grace period: exit code 75", async () => {
  const waiting = await start(
    `console.log("ready"); for (const end = Date.now() + 60_000; Date.now() < end;);`,
    0.2,
  );
  waiting.kill("SIGTERM");
  assertEquals((await waiting.status).code, 75);
});

Deno.test("waitWithSignals() takes two SIGINT at once, as deno task causes them, for one Ctrl-C, and kills at the next", async () => {
  const waiting = await start(listener("SIGTERM"));
  let ended = false;
  waiting.status.then(() => ended = true);
  waiting.kill("SIGINT");
  waiting.kill("SIGINT");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assertEquals(ended, false);
  waiting.kill("SIGINT");
  assertEquals((await waiting.status).code, 75);
});
