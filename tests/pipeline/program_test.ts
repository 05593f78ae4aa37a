/** Stages as programs: flags, exit codes, the same bytes as inside a pipeline, and nothing partial. @module */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { ToyProject, toyStages } from "./toy.ts";

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  dir: TemporaryDirectory,
  id: string,
  args: readonly string[],
  killAfter?: string,
): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--cached-only",
      `--allow-read=${projectRoot},${dir.path}`,
      `--allow-write=${dir.path}`,
      `--config=${join(projectRoot, "deno.json")}`,
      toyStages.program(id),
      ...args,
    ],
    cwd: dir.path,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let err = "";
  const errors = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      err += text;
      if (killAfter !== undefined && err.includes(killAfter)) child.kill("SIGTERM");
    }
  })();
  const out = await new Response(child.stdout).text();
  await errors;
  return { code: (await child.status).code, out, err };
}

Deno.test("a stage alone gives the same bytes as inside a pipeline", async () => {
  using toy = new ToyProject();
  const result = await toy.run();
  const lock = Deno.readTextFileSync(toy.file("run/run.lock.yaml"));
  const seed = /\n {2}copies\.write\[1\]:[^]*?\n {4}seed: (\d+)/.exec(lock)![1]!;
  const write = result.nodes.find((node) => node.stage === "write")!;
  const copy = result.nodes.find((node) => node.stage === "copies.write" && node.index === 1)!;
  const { code, err } = await run(toy, "write-text", [
    "--in.text",
    write.outputs.text!,
    "--out.text",
    "alone/text",
    "--seed",
    seed,
  ]);
  assertEquals([code, err], [0, ""]);
  assertEquals(Deno.readTextFileSync(toy.file("alone/text")), Deno.readTextFileSync(copy.outputs.text!));
  assertEquals([...Deno.readDirSync(toy.file("alone"))].map((e) => e.name), ["text"]);
});

Deno.test("a list and a map are given by repeated flags", async () => {
  using toy = new ToyProject();
  const args = [
    "--in.texts",
    "first.txt",
    "--in.texts=first.txt",
    "--in.named.b",
    "base",
    "--out.text=joined",
    "--separator",
    "+",
  ];
  assertEquals((await run(toy, "join-text", args)).code, 0);
  assertEquals(Deno.readTextFileSync(toy.file("joined")), "first\n+first\n+b=1");
});

Deno.test("invalid flags, missing data and a failing stage have their exit codes and one line each", async () => {
  using toy = new ToyProject();
  assertEquals(await run(toy, "write-text", ["--out.text", "x", "--wrd", "b"]), {
    code: 64,
    out: "",
    err: 'Invalid flags for write-text (see --help): unknown flag --wrd, did you mean "word"?\n',
  });
  assertEquals(await run(toy, "write-text", ["--out.text", "x", "--in.text", "gone"]), {
    code: 65,
    out: "",
    err: `Missing input files: --in.text ${toy.file("gone")} (not found)\n`,
  });
  assertEquals(await run(toy, "write-text", ["--out.text", "x", "--fail"]), {
    code: 70,
    out: "",
    err: "Failed on purpose: fail is true\n",
  });
  const verbose = await run(toy, "write-text", ["--out.text", "x", "--fail", "--verbose"]);
  assertEquals(/RangeError: Failed on purpose[^]*\n\s+at /.test(verbose.err), true, verbose.err);
  assertEquals([...Deno.readDirSync(toy.path)].map((e) => e.name).sort(), ["base", "first.txt"]);
});

Deno.test("SIGTERM lets a stage save its step and exit with 75; partial outputs are removed", async () => {
  using toy = new ToyProject();
  const args = [
    "--in.model=base",
    "--out.model=m",
    "--out.state=s",
    "--out.metrics=x.arrow",
    "--pause=30",
    "--scratch=kept",
    "--verbose",
  ];
  const { code, err } = await run(toy, "count-iterations", args, "1/5");
  assertEquals(code, 75);
  assertEquals(/Interrupted: step \d of count-iterations is saved/.test(err), true, err);
  assertEquals([...Deno.readDirSync(toy.path)].map((e) => e.name).sort(), ["base", "first.txt", "kept"]);
  assertEquals(Deno.statSync(toy.file("kept/step.txt")).isFile, true);
});
