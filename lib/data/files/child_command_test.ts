import { assertEquals } from "@std/assert";
import { childCommand, childPrograms } from "./child_command.ts";

Deno.test("childCommand() gives a child the base list, the names of keep, the values of set, and nothing else", async () => {
  for (const name of ["SRPPO_KEPT", "SRPPO_SECRET"]) Deno.env.set(name, "here");
  const program = `const { SRPPO_KEPT, SRPPO_SECRET, SRPPO_SET, PATH } = Deno.env.toObject();
    console.log(JSON.stringify({ SRPPO_KEPT, SRPPO_SECRET, SRPPO_SET, path: PATH !== undefined }));`;
  const { stdout } = await childCommand(Deno.execPath(), ["eval", program], {
    keep: ["SRPPO_KEPT", "SRPPO_NOT_SET"],
    set: { SRPPO_SET: "set" },
  }).output();
  assertEquals(JSON.parse(new TextDecoder().decode(stdout)), {
    SRPPO_KEPT: "here",
    SRPPO_SET: "set",
    path: true,
  });
  for (const name of ["SRPPO_KEPT", "SRPPO_SECRET"]) Deno.env.delete(name);
});

Deno.test("childPrograms() has Deno first, and setpriv where it is installed", () => {
  const [deno, ...rest] = childPrograms();
  assertEquals([deno, rest.every((path) => path.endsWith("/setpriv"))], [Deno.execPath(), true]);
});
