/** Addresses, links and variables of an experiment: its flags reach the runs, and its file names no host by itself. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { finish, launch } from "@/tests/support/launch.ts";
import { symlink } from "@/tests/support/symlink.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { projectRoot } from "./project_root.ts";

const EXPERIMENT = (manifest: string, set: string) => `
manifest: ${manifest}
seeds: 1
set: [${set}]
arms: { a: {} }
`;

Deno.test("an address in an experiment's file requires --allow-host, before anything runs", async () => {
  using directory = new TemporaryDirectory();
  const address = "ppo.score.external_url=http://127.0.0.1:9/";
  directory.write("e.yaml", EXPERIMENT(`${projectRoot}/pipelines/quickstart.yaml`, `"${address}"`));
  const run = (...flags: string[]) =>
    finish(
      launch(["experiment", directory.file("e.yaml"), "--out", directory.file("out"), "--dry-run", ...flags]),
    );
  const refused = await run();
  assertEquals([refused.code, refused.out], [64, ""]);
  assertStringIncludes(
    refused.err,
    "An address in an experiment requires --allow-host HOST:PORT, got 127.0.0.1:9 for ppo.score.external_url",
  );
  for (const flags of [["--allow-host", "127.0.0.1:9"], ["--set", address]]) {
    assertEquals((await run(...flags)).code, 0);
  }
});

Deno.test("--allow-host and --follow-links of an experiment reach its runs", async () => {
  using directory = new TemporaryDirectory();
  const model = directory.file("model");
  Deno.mkdirSync(model);
  const base = join(projectRoot, "fixtures/stories260k");
  for (const { name } of Deno.readDirSync(base)) await symlink(join(base, name), join(model, name));
  const text = Deno.readTextFileSync(join(projectRoot, "pipelines/quickstart.yaml"))
    .replaceAll(": fixtures/", `: ${projectRoot}/fixtures/`)
    .replace(
      "sft: sft.policy }\n      update:",
      "sft: sft.policy }\n        with: { external_url: http://127.0.0.1:9/ }\n      update:",
    );
  directory.write("m.yaml", text);
  directory.write("e.yaml", EXPERIMENT(directory.file("m.yaml"), "tokenize.max_length=100000"));
  const run = (...flags: string[]) =>
    finish(launch([
      ...[
        "experiment",
        directory.file("e.yaml"),
        "--out",
        directory.file("out"),
        "--set",
        "tokenize.max_length=100000",
      ],
      ...flags,
    ]));
  assertStringIncludes((await run()).out, "An address in a manifest requires --allow-host HOST:PORT");
  directory.write("m.yaml", text.replace(`base: ${projectRoot}/fixtures/stories260k`, `base: ${model}`));
  const hosts = ["--allow-host", "127.0.0.1:9"];
  assertStringIncludes((await run(...hosts)).out, "--follow-links");
  // Without the flag the links are refused before anything runs; the run fails later, as its parameter is invalid.
  assertEquals((await run(...hosts, "--follow-links")).out.includes("(or use --follow-links)"), false);
});
