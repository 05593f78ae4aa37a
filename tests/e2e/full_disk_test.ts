/**
 * Disks that are really full or read-only: one message, the right exit code, everything from before still there, and the same
 * command succeeds once there is space. If the system does not allow a separate disk, standard output is the full disk
 * /dev/full.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { digestDirectory, digestFile } from "@/lib/data/files/digest.ts";
import { commandOf, finish, type Finished, launch } from "@/tests/support/launch.ts";
import { SmallDisk } from "@/tests/support/small_disk.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { firstRows } from "./small_quickstart.ts";

const MODEL = join(projectRoot, "fixtures/stories260k");
/** Message of a full disk. */
const full = (path: string) => `Not enough disk space for ${path}: the disk is full\n`;

/** Writes a few demonstrations, many demonstrations, and a pipeline that trains on the few. */
function writeFiles(dir: TemporaryDirectory) {
  const few = dir.write("few.jsonl", firstRows("fixtures/quickstart/demos.jsonl", 40));
  const many = dir.write("many.jsonl", firstRows("fixtures/quickstart/demos.jsonl", 1000));
  const manifest = dir.write(
    "small.yaml",
    `inputs: { base: ${MODEL}, demonstrations: ${few} }
stages:
  tokenize: { uses: tokenize, in: { demonstrations: inputs.demonstrations, model: inputs.base } }
  sft: { uses: sft, in: { tokens: tokenize.train, model: inputs.base }, with: { max_updates: 2, batch_size: 2 } }
outputs: { policy: sft.policy, train: tokenize.train }
`,
  );
  Deno.mkdirSync(dir.file("disk"));
  return { few, many, manifest, disk: dir.file("disk") };
}

function tokenize(demonstrations: string, folder: string): string[] {
  const outputs = [`--out.train=${join(folder, "train.arrow")}`, `--out.report=${join(folder, "report")}`];
  return ["stage", "tokenize", `--in.demonstrations=${demonstrations}`, `--in.model=${MODEL}`, ...outputs];
}

function sft(folder: string): string[] {
  return [
    ...["stage", "sft", `--in.tokens=${join(folder, "train.arrow")}`, `--in.model=${MODEL}`],
    ...["--max_updates=2", "--batch_size=2", `--out.policy=${join(folder, "policy")}`],
    `--out.metrics=${join(folder, "metrics.arrow")}`,
  ];
}

/** Runs a command whose standard output is a full disk. */
async function toFullOutput(args: readonly string[]): Promise<Finished> {
  const words = commandOf(args).map((word) => `'${word}'`).join(" ");
  return await finish(
    new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "--eval", `${words} > /dev/full`],
      cwd: projectRoot,
      env: { NO_COLOR: "1" },
      stdout: "piped",
      stderr: "piped",
    }).spawn(),
  );
}

Deno.test("a stage on a full disk fails with a clear message, changes nothing, and succeeds once there is space", async () => {
  using dir = new TemporaryDirectory();
  const { few, many, disk: place } = writeFiles(dir);
  const out = join(place, "out");
  await using disk = await SmallDisk.mount(place, "300k");
  if (disk === undefined) {
    const help = await toFullOutput(["stage", "tokenize", "--help"]);
    return assertEquals([help.code, help.err], [75, full("standard output")]);
  }
  assertEquals(await disk.launch(tokenize(few, out)), { code: 0, out: "", err: "" });
  const before = await disk.content();

  const calls = [[tokenize(many, out), "train.arrow"], [sft(out), "policy/model.safetensors"]] as const;
  for (const [args, file] of calls) {
    assertEquals(await disk.launch(args), { code: 75, out: "", err: full(`${out}/${file}`) });
    assertEquals(await disk.content(), before);
  }
  await disk.resize("20m");
  for (const [args] of calls) assertEquals(await disk.launch(args), { code: 0, out: "", err: "" });
  const [, elsewhere] = [
    await finish(launch(tokenize(many, dir.file("elsewhere")))),
    await finish(launch(sft(dir.file("elsewhere")))),
  ];
  assertEquals(elsewhere, { code: 0, out: "", err: "" });
  const { files } = digestDirectory(dir.file("elsewhere"));
  const lines = Object.entries(files).map(([path, { digest }]) => `${digest}  ./out/${path}\n`);
  assertEquals(await disk.content(), lines.join(""));
});

Deno.test("a pipeline on a full disk keeps finished stages, and the same command resumes once there is space", async () => {
  using dir = new TemporaryDirectory();
  const { manifest, disk: place } = writeFiles(dir);
  await using disk = await SmallDisk.mount(place, "600k");
  const pipeline = (...flags: string[]) => ["pipeline", manifest, ...flags];
  if (disk === undefined) {
    for (const flags of [["--json"], []]) {
      const { code, err } = await toFullOutput(pipeline("--run-dir", dir.file("run"), ...flags));
      assertEquals([code, err], [75, full("standard output")]);
    }
    return assertEquals((await finish(launch(pipeline("--run-dir", dir.file("run"))))).code, 0);
  }
  const run = join(place, "run"), store = dir.file("store");

  // The store's disk has less space than the estimate: nothing begins.
  const early = await disk.launch(pipeline("--run-dir", run));
  assertEquals(early.code, 75);
  assertMatch(
    early.err,
    /^Not enough disk space: need \d+ MiB in \S+\/run\/store, 1 MiB available \(.*\)\n$/,
  );

  // The outputs do not fit on the disk: all stages are finished and stored.
  const apart = pipeline("--run-dir", run, "--store", store);
  const late = await disk.launch(apart);
  assertEquals([late.code, late.err], [75, full(`${run}/outputs/policy`)]);
  assertEquals((await disk.shell(`ls -A ${run}/outputs`)).trim(), "");
  await disk.resize("20m");
  const again = await disk.launch(apart);
  assertEquals([again.code, again.err], [0, ""]);
  assertMatch(again.out, /0 stages ran, 2 cached/);
  const outputs = await disk.shell(`cd ${run}/outputs && find . -type f -exec sha256sum {} + | sort -k 2`);
  const calm = await finish(launch(pipeline("--run-dir", dir.file("calm"))));
  assertEquals([calm.code, calm.err], [0, ""]);
  const { files } = digestDirectory(dir.file("calm/outputs"));
  const lines = Object.entries(files).map(([path, { digest }]) => `${digest}  ./${path}\n`);
  assertEquals(outputs, lines.join(""));
});

Deno.test("when the disk fills during a stage, nothing from before is lost, and the training resumes", async () => {
  using dir = new TemporaryDirectory();
  const { manifest, disk: place } = writeFiles(dir);
  await using disk = await SmallDisk.mount(place, "80m");
  // A model without weights: the estimate cannot know that its checkpoints take 14 MB each.
  const base = dir.file("base");
  Deno.mkdirSync(base);
  const config = JSON.parse(Deno.readTextFileSync(join(MODEL, "config.json")));
  const wide = { ...config, hidden_size: 256, head_dim: 32, intermediate_size: 704 };
  Deno.writeTextFileSync(join(base, "config.json"), JSON.stringify(wide));
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    Deno.copyFileSync(join(MODEL, name), join(base, name));
  }
  const pipeline = (run: string) => [
    ...["pipeline", manifest, "--run-dir", run, `--input=base=${base}`],
    ...["--set=sft.loss=all", "--set=sft.max_updates=8", "--set=sft.checkpoint_every=1"],
  ];
  if (disk === undefined) return assertEquals((await toFullOutput(["stage"])).code, 75);
  const run = join(place, "run");
  const full = await disk.launch(pipeline(run));
  assertEquals(full.code, 75);
  assertMatch(
    full.err,
    /^Not enough disk space for \S+\/run\/store\/tmp\/\S+: the disk is full\n$/,
  );
  await disk.resize("600m");
  const again = await disk.launch(pipeline(run));
  assertEquals([again.code, again.err], [0, ""]);
  assertMatch(again.out, /1 stages? ran, 1 cached/);
  const calm = await finish(launch(pipeline(dir.file("calm"))));
  assertEquals(calm.code, 0);
  const policy = await disk.shell(`sha256sum ${run}/outputs/policy/model.safetensors`);
  assertEquals(policy.split(" ")[0], digestFile(dir.file("calm/outputs/policy/model.safetensors")));
});

Deno.test("a run or an output on a read-only disk is refused, and nothing on it changes", async () => {
  using dir = new TemporaryDirectory();
  const { few, manifest, disk: place } = writeFiles(dir);
  await using disk = await SmallDisk.mount(place, "100m");
  const readOnly = (path: string) => `Cannot write ${path}: the file system is read-only\n`;
  if (disk === undefined) {
    // /sys is a file system on which no files can be created.
    const { code, err } = await finish(launch(tokenize(few, "/sys/kernel")));
    assertEquals(code, 64);
    return assert(err.startsWith("Cannot write /sys/kernel: "), err);
  }
  const run = join(place, "run"), out = join(place, "out");
  assertEquals((await disk.launch(["pipeline", manifest, "--run-dir", run])).code, 0);
  assertEquals((await disk.launch(tokenize(few, out))).code, 0);
  const before = await disk.content();
  await disk.makeReadOnly();
  for (const [name, there] of [["run", run], ["other", join(place, "other")]] as const) {
    const { code, err } = await disk.launch(["pipeline", manifest, "--run-dir", there]);
    assertEquals([code, err], [64, readOnly(there)], name);
  }
  for (const args of [tokenize(few, out), sft(out)]) {
    assertEquals(await disk.launch(args), { code: 64, out: "", err: readOnly(out) });
  }
  assertEquals(await disk.content(), before);
});
