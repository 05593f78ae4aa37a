/** Memory does not grow with the number of batch shapes. @module */
import { assert } from "@std/assert";

interface Report {
  readonly sessions: number;
  readonly bufferBytes: number;
  readonly equal: boolean;
}

let report: Promise<Report> | undefined;

/** Returns the output of shapes_program.ts for 400 shapes. */
function afterManyShapes(): Promise<Report> {
  return report ??= (async () => {
    const program = new URL("./shapes_program.ts", import.meta.url).href;
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--cached-only", "--no-check", "--allow-read", "--allow-ffi"],
        ...["--v8-flags=--expose-gc", program, "400"],
      ],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  })();
}

Deno.test("bug: the graph cache and a network's plans grew with every batch shape; sessions are now released", async () => {
  const { sessions, equal } = await afterManyShapes();
  assert(sessions <= 256, `${sessions} sessions of 401 in memory`);
  assert(equal, "a graph that is compiled again gives the same bits");
});

Deno.test("bug: plans kept the workspace's outgrown buffers in memory", async () => {
  const { bufferBytes } = await afterManyShapes(); // 2 MB; it was 165 MB
  assert(bufferBytes < 2 ** 23, `${bufferBytes} bytes of buffers`);
});
