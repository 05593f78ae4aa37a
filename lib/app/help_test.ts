/** Tests that `--help` of every command is short: usage, one line per flag, examples. @module */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { finish } from "@/tests/support/launch.ts";
import { projectRoot } from "./project_root.ts";

const COMMANDS: readonly (readonly [command: string, program: string, ...args: string[]])[] = [
  ["pipeline", "lib/app/launcher.ts", "pipeline"],
  ["stage", "lib/app/launcher.ts", "stage"],
  ["experiment", "lib/app/launcher.ts", "experiment"],
  ["evaluate", "lib/app/launcher.ts", "evaluate"],
  ["serve", "lib/app/serve_command.ts"],
  ["golden", "tests/goldens/golden_command.ts"],
  ["bench", "tests/bench/bench_command.ts"],
  ["doctor", "lib/app/doctor.ts"],
  ["sbom", "lib/app/sbom_command.ts"],
  ...["status", "logs", "cancel", "lineage", "diff", "gc"].map((name) =>
    [name, `lib/app/inspect/${name}_command.ts`] as const
  ),
];

for (const [command, program, ...args] of COMMANDS) {
  Deno.test(`deno task ${command} --help has usage, examples, and at most twelve words per flag before its default`, async () => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--cached-only", join(projectRoot, program), ...args, "--help"],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { code, out, err } = await finish(child);
    assertEquals([code, err], [0, ""]);
    assert(out.includes(`\nUsage: deno task ${command}`), out);
    assert(/\nExamples?:\n {2}.*deno task/.test(out), out);
    const flags = out.split("\n").filter((line) => /^ {2}--/.test(line));
    const descriptions = flags.map((line) => line.replace(/^ {2}--.*?\s{2,}/, "").split("; default")[0]!);
    assertEquals(descriptions.filter((text) => text.split(/\s+/).length > 12), []);
  });
}
