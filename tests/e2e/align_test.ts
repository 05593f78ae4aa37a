/** Tests align.yaml on 20 demonstrations: the learning rate is chosen, and members follow it. @module */
import { assert, assertEquals } from "@std/assert";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { readMetrics } from "@/lib/data/contracts/metrics.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { firstRows, ran } from "./small_quickstart.ts";

const SETTINGS = [
  "sft.lr_values=[1e-4,1e-3]",
  "sft.lr_trial_updates=2",
  "sft.max_updates=4",
  "members.count=2",
];

/** Runs tokenize, SFT and members. */
async function align(directory: TemporaryDirectory, ...settings: readonly string[]): Promise<RunEvent[]> {
  const demonstrations = directory.write("demos.jsonl", firstRows("fixtures/quickstart/demos.jsonl", 20));
  const { code, out, err } = await finish(launch([
    "pipeline",
    "pipelines/align.yaml",
    ...["--input", "base=fixtures/stories260k", "--input", `demonstrations=${demonstrations}`],
    ...["--run-dir", directory.file("run"), "--to", "members", "--json", "--no-estimate", "--threads", "2"],
    ...[...SETTINGS, ...settings].flatMap((setting) => ["--set", setting]),
  ]));
  assertEquals(code, 0, err);
  return out.trim().split("\n").map((line) => JSON.parse(line) as RunEvent);
}

/** Returns the learning rates of the first updates in a metrics file of the store. */
function peaks(events: readonly RunEvent[], stage: string): number[] {
  return events.flatMap((event) =>
    event.type === "metrics" && event.stage === stage ? [event.values["peak_lr"] ?? NaN] : []
  );
}

Deno.test("align.yaml accepts 20 demonstrations; members follow SFT's learning rate, and run again when it changes", async () => {
  using directory = new TemporaryDirectory();
  const first = await align(directory);
  const [chosen] = peaks(first, "sft");
  assert(chosen === 1e-4 || chosen === 1e-3, `${chosen}`);
  assertEquals(ran(first), ["members.sft[0]", "members.sft[1]", "sft", "tokenize"]);
  assertEquals(ran(await align(directory)), [], "everything is cached");

  const given = await align(directory, "sft.lr=4e-4");
  assertEquals(ran(given), ["members.sft[0]", "members.sft[1]", "sft"]);
  assertEquals(peaks(given, "sft"), [4e-4]);
  const folder = directory.file("run/store/views");
  const rates = [...metricsFiles(folder)].map((file) =>
    largest(readMetrics(file).filter(({ name }) => name === "lr").map(({ value }) => value))
  );
  assert(rates.includes(2e-4), `members train with half of 4e-4, got ${rates}`);
});

/** Returns the metrics files below a folder. */
function* metricsFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* metricsFiles(`${folder}/${name}`);
    else if (name === "metrics.arrow") yield `${folder}/${name}`;
  }
}
