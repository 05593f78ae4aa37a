/** A stage in a process of its own may read its inputs and write its outputs, and no more. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { ToyProject } from "./toy.ts";

for (
  const [what, access] of [["read", "read"], ["write", "write"], ["net", "net"], ["run", "run"], [
    "env",
    "env",
  ]] as const
) {
  Deno.test(`a stage that tries ${what} without permission is refused`, async () => {
    using toy = new ToyProject();
    const manifest = `stages: { reach: { uses: reach-out, with: { what: ${what} } } }`;
    const error = await assertRejects(() => toy.run({ manifest, executor: "process" })) as Error;
    assertEquals(/^Requires (\w+) access to /.exec(error.message)?.[1], access, error.message);
  });
}
