/** A model whose files are links: refused with their targets, and read with --follow-links by both local executors. */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import { symlink } from "@/tests/support/symlink.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

Deno.test("--follow-links: a run reads files that links in a model's directory lead to", async () => {
  using directory = new TemporaryDirectory();
  const model = join(projectRoot, "fixtures/stories260k"), linked = directory.file("model");
  Deno.mkdirSync(linked);
  for (const { name } of Deno.readDirSync(model)) symlink(join(model, name), join(linked, name));
  const run = async (name: string, ...flags: string[]) =>
    await finish(
      launch([
        "pipeline",
        `--run-dir=${directory.file(name)}`,
        `--input=base=${linked}`,
        "--to=tokenize",
        ...flags,
      ]),
    );
  const refused = await run("refused");
  assertEquals(refused.code, 65);
  assert(refused.err.includes("(or use --follow-links)"), refused.err);
  for (const executor of ["inline", "process"]) {
    const { code, err } = await run(executor, "--follow-links", `--executor=${executor}`);
    assertEquals([code, err], [0, ""], executor);
  }
});
