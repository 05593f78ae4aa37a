import { assertEquals, assertRejects } from "@std/assert";
import { dirname } from "node:path";
import { z } from "zod";
import { defineStage, type Stage } from "@/lib/data/contracts/stage.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { symlink } from "@/tests/support/symlink.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { openDataRoot } from "./data_root.ts";
import { readRunRequest } from "./run_request.ts";

const FILE = { contract: "file", description: "a text" } as const;

const stage = defineStage({
  id: "read",
  summary: "Reads",
  params: z.strictObject({}),
  inputs: {
    text: FILE,
    more: { ...FILE, optional: true, many: "list" },
    model: { contract: "model", description: "a model", optional: true },
  },
  outputs: {},
  random: false,
  run: () => Promise.resolve(),
}) as unknown as Stage;

/** A data root with some texts, one of the server's own and a link out of it; a secret lies beside it. */
function openRoot(dir: TemporaryDirectory) {
  const names = ["in.txt", "more/b.txt", "more/a.txt", "more/deep/c.txt", ".srppo/mine.txt", "../secret.txt"];
  for (const name of names) {
    Deno.mkdirSync(dirname(dir.file(`data/${name}`)), { recursive: true });
    dir.write(`data/${name}`, "");
  }
  symlink(dir.path, dir.file("data/up"));
  return openDataRoot(dir.file("data"));
}

Deno.test("a request may name data files by patterns", async () => {
  using dir = new TemporaryDirectory();
  const root = openRoot(dir);
  const inputs = { text: "i*.txt", more: ["more/*.txt", "**/{c,in}.txt", "more"], model: "more" };
  assertEquals((await readRunRequest(stage, { inputs }, root)).inputs, {
    text: `${root.path}/in.txt`,
    more: [`${root.path}/more/{a.txt,b.txt}`, `${root.path}/{in.txt,more/deep/c.txt}`, `${root.path}/more`],
    model: `${root.path}/more`,
  });
});

Deno.test("a pattern stays within the data root, or the request is refused before a folder outside is read", async () => {
  using dir = new TemporaryDirectory();
  const root = openRoot(dir);
  const below = "must be a path below the data root";
  const leads = "must not lead outside the data root through a link";
  const bad: readonly (readonly [location: string, why: string])[] = [
    ["../*.txt", `"../*.txt" ${below}`],
    ["*/../../*.txt", `"*/../../*.txt" ${below}`],
    ["{in.txt,../secret.txt}", `"../secret.txt" ${below}`],
    ["{.,x}{.,y}/s*.txt", `"../s*.txt" ${below}`],
    ["{up/\\..,x}/\\../s*.txt", `"../s*.txt" ${below}`],
    ["\\.\\./{s,t}*.txt", `"../s*.txt" ${below}`],
    ["{../nothing*,in.txt}", `"../nothing*" ${below}`],
    ["up/s*.txt", `"up/s*.txt" ${leads}`],
    ["u?/secret.txt", `"up/secret.txt" ${leads}`],
    [".s*/*.txt", `".srppo/mine.txt" must not be below .srppo/, which is reserved`],
  ];
  for (const [location, why] of bad) {
    assertEquals(
      (await assertRejects(() => readRunRequest(stage, { inputs: { text: location } }, root), UsageError))
        .message,
      `Invalid request for read: Location ${why}`,
    );
  }
});

Deno.test("a pattern that matches no file is a missing input, and models have no patterns", async () => {
  using dir = new TemporaryDirectory();
  const root = openRoot(dir);
  const inputs = { text: "no*.txt", more: ["{more,none}/a.txt", "{in,no*}.txt", "none"], model: "m[o]re" };
  assertEquals(
    (await assertRejects(() => readRunRequest(stage, { inputs }, root), DataError)).message,
    'Missing inputs of read: inputs.text: "no*.txt" (no file matches); ' +
      'inputs.more: "{more/a.txt,none/a.txt}" (none/a.txt not found); ' +
      'inputs.more: "{in,no*}.txt" (no file matches no*.txt); inputs.more: "none" does not exist; ' +
      'inputs.model: "m[o]re" (no file matches)',
  );
});
