/** Results do not depend on the number of threads. @module */
import { assertEquals, assertNotEquals } from "@std/assert";

/** Returns the output of digest_program.ts in a process with this number of threads. */
async function digests(threads: number): Promise<Record<string, unknown>> {
  const program = new URL("./digest_program.ts", import.meta.url).href;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--cached-only",
      "--no-check",
      "--allow-read",
      "--allow-ffi",
      program,
      `${threads}`,
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("scoring, training and generation give equal bits on one and on two threads", async () => {
  const one = await digests(1), two = await digests(2);
  assertEquals(two, one);
  const [first, second] = one.gradients as string[];
  assertNotEquals(first, second);
});
