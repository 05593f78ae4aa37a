/** Stages as jobs of a cluster: equal results, lost jobs, cancellation, and a driver that is killed and started again. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/registry.ts";
import { TryAgainError, UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { FakeSlurm } from "@/tests/support/fake_slurm.ts";
import { ran, ToyProject } from "./toy.ts";

const SITE = "executor: slurm\npartition: gpu\nmemory: 4G\n";
const SMALL = ["loop.count.limit=3"];

Deno.test("a run on a cluster gives the results of a run here, each stage as one job with its resources", async () => {
  using toy = new ToyProject();
  using other = new ToyProject();
  const slurm = new FakeSlurm(toy);
  const site =
    `${SITE}stages: { "loop.*": { gpus: 2, cpus: 4, time: "2:00:00" }, all: { executor: process } }\n`;
  const result = await toy.run({ set: SMALL, executor: { site, path: slurm.path } });
  assertEquals(toy.outputs(result), other.outputs(await other.run({ set: SMALL })));
  const jobs = slurm.submitted(), names = jobs.map((job) => /--job-name=(\S+)/.exec(job)![1]!);
  // After one iteration, metrics joins the same texts as loop.join: one action, one job.
  const elsewhere = ran(result.events).filter((id) => id !== "all" && id !== "metrics");
  assertEquals(new Set(names), new Set(elsewhere.map((id) => `srppo-${id}`)));
  const count = jobs.find((job) => job.includes("--job-name=srppo-loop.count[0]"))!;
  assert(/--partition=gpu/.test(count) && /--mem=4G/.test(count) && /--gres=gpu:2/.test(count), count);
  assert(/--cpus-per-task=4/.test(count) && /--time=2:00:00/.test(count), count);
  const progress = result.events.filter((event) =>
    event.type === "stage_progress" && event.stage === "loop.count"
  );
  assertEquals(progress.length, 5, "the messages of a job arrive");
});

Deno.test("a job that is lost is submitted again, with a warning; one out of memory once, with twice as much", async () => {
  using toy = new ToyProject();
  const slurm = new FakeSlurm(toy), warnings: string[] = [];
  slurm.failNext(["NODE_FAIL", "OUT_OF_MEMORY"]);
  const result = await toy.run({
    to: ["write"],
    executor: { site: SITE, path: slurm.path },
    warn: (message) => warnings.push(message),
  });
  assertEquals(ran(result.events), ["write"]);
  assertEquals(slurm.submitted().map((job) => /--mem=(\S+)/.exec(job)![1]), ["4G", "4G", "8G"]);
  assertEquals(warnings, [
    "write: Job 1 of write was lost: NODE_FAIL; attempt 2 in 1 s",
    "write: Job 2 of write ran out of memory; attempt 3 in 2 s",
  ]);
});

Deno.test("a job that is lost again and again ends the run with exit code 75", async () => {
  using toy = new ToyProject();
  const slurm = new FakeSlurm(toy);
  slurm.failNext(["NODE_FAIL", "NODE_FAIL"]);
  const site = `${SITE}retries: 1\n`;
  const run = toy.run({ to: ["write"], executor: { site, path: slurm.path } });
  const error = await assertRejects(() => run, TryAgainError);
  assertEquals(error.message, "Job 2 of write was lost: NODE_FAIL");
});

Deno.test("a job that Slurm refuses ends the run with Slurm's reason, and is not tried again", async () => {
  using toy = new ToyProject();
  const slurm = new FakeSlurm(toy);
  slurm.refuse();
  const error = await assertRejects(
    () => toy.run({ to: ["write"], executor: { site: SITE, path: slurm.path } }),
    UnavailableError,
  );
  assertEquals(
    error.message,
    "sbatch failed with exit code 1: sbatch: error: Batch job submission failed: Invalid partition",
  );
  assertEquals(slurm.submitted().length, 1);
});

Deno.test("the error of a stage that fails as a job is its own, and is not tried again", async () => {
  using toy = new ToyProject();
  const slurm = new FakeSlurm(toy), site = SITE;
  toy.write("base/value.txt", "no number");
  const error = await assertRejects(
    () => toy.run({ to: ["loop"], executor: { site, path: slurm.path } }),
    Error,
  );
  using other = new ToyProject();
  other.write("base/value.txt", "no number");
  const here = await assertRejects(() => other.run({ to: ["loop"] }), Error);
  const inside = (message: string) => message.replace(/^.*\/try-\w+\//, "");
  assertEquals(inside(error.message), inside(here.message));
});

Deno.test("an interrupted run asks its jobs to save, and the next run resumes", async () => {
  using toy = new ToyProject();
  const slurm = new FakeSlurm(toy), stop = new AbortController();
  const executor = { site: SITE, path: slurm.path }, set = [...SMALL, "loop.count.pause=1000"];
  const error = await assertRejects(
    () =>
      toy.run({
        set,
        executor,
        signal: stop.signal,
        listener: (event) => event.type === "stage_progress" && event.stage === "loop.count" && stop.abort(),
      }),
    TryAgainError,
  );
  assert(error.message.startsWith("Interrupted: "), error.message);
  assert(
    slurm.cancelled().every((call) => call.startsWith("--batch --signal=TERM ")),
    slurm.cancelled().join(),
  );
  assertEquals(slurm.cancelled().length, 1);
  const [scratch] = Array.from(Deno.readDirSync(toy.file("run/store/tmp"))).filter(({ isDirectory }) =>
    isDirectory
  )
    .map(({ name }) => join(toy.file("run/store/tmp"), name, "scratch/step.txt"));
  assert(Deno.readTextFileSync(scratch!) !== "", "the stage saved");
  assertEquals(toy.outputs(await toy.run({ set, executor })).model, "3");
});

Deno.test("a job that was preempted and saved is submitted again, and the job that Slurm put back is cancelled", async () => {
  using toy = new ToyProject();
  const slurm = new FakeSlurm(toy), set = [...SMALL, "loop.count.pause=300"], warnings: string[] = [];
  let isPreempted = false;
  const result = await toy.run({
    set,
    executor: { site: SITE, path: slurm.path },
    warn: (message) => warnings.push(message),
    listener: (event) => {
      if (isPreempted || event.type !== "stage_progress" || event.stage !== "loop.count") return;
      isPreempted = true;
      slurm.terminate("srppo-loop.count[0]");
    },
  });
  assertEquals(toy.outputs(result).model, "3");
  assertEquals(warnings.length, 1);
  assert(
    /^loop\.count\[0\]: Interrupted: step \d of count-iterations is saved; attempt 2 in 1 s$/.test(
      warnings[0]!,
    ),
    warnings[0],
  );
  const jobs = slurm.submitted(), name = "--job-name=srppo-loop.count[0]";
  const ids = jobs.flatMap((job, i) => job.includes(name) ? [i + 1] : []);
  assertEquals(ids.length, 2);
  assertEquals(slurm.cancelled(), [`${ids[0]}`]);
});

Deno.test("a driver that is killed and started again waits for the job that runs, and submits it only once", async () => {
  using toy = new ToyProject();
  const slurm = new FakeSlurm(toy), set = [...SMALL, "loop.count.pause=1500"];
  const executor = { site: SITE, path: slurm.path };
  toy.write("options.json", JSON.stringify({ set, executor }));
  const driver = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--cached-only", join(projectRoot, "tests/pipeline/slurm_driver.ts"), toy.path],
    stdout: "piped",
  }).spawn();
  const reader = driver.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; !text.includes("loop.count");) text += (await reader.read()).value ?? "";
  driver.kill("SIGKILL");
  await driver.status;
  await reader.cancel();
  const submitted = slurm.submitted().length;
  const result = await toy.run({ set, executor });
  assertEquals(toy.outputs(result).model, "3");
  const jobs = slurm.submitted().filter((job) => job.includes("--job-name=srppo-loop.count[0]"));
  assertEquals(jobs.length, 1);
  assert(slurm.submitted().length > submitted, "what comes after it is submitted");
  const tmp = Array.from(Deno.readDirSync(toy.file("run/store/tmp")), ({ name }) => name);
  assertEquals(tmp.filter((name) => !/\.lock(\.worker)?$/.test(name)), []);
});

Deno.test("programs that are not installed are named before anything runs", async () => {
  using toy = new ToyProject();
  const error = await assertRejects(
    () => toy.run({ executor: { site: "executor: slurm\n", path: toy.file("none") } }),
    UnavailableError,
  );
  assertEquals(error.message, "Programs not found on PATH: sbatch, squeue, scancel");
});
