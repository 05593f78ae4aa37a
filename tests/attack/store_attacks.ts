/**
 * Damaged stores: bits flipped in blobs, views and records, files that are truncated, missing or replaced, and what an
 * earlier version may have made from them. A run notices each before it reads it, and its results are those of an
 * undamaged store.
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "node:path";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { parseRecord } from "@/lib/pipeline/engine/action_record.ts";
import { Store } from "@/lib/pipeline/engine/store.ts";
import { verifyStore } from "@/lib/pipeline/engine/verify_store.ts";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import { ran, ToyProject } from "@/tests/pipeline/toy.ts";
import { SmallQuickstart } from "@/tests/e2e/small_quickstart.ts";
import { finish } from "@/tests/support/launch.ts";
import { symlink } from "@/tests/support/symlink.ts";
import type { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import type { Attack } from "./attack.ts";

/** A stored file: its blob and its path in the view. */
interface StoredFile {
  readonly blob: string;
  readonly view: string;
}

/** Flips the lowest bit of the byte at `at` (negative: from the end), also of a read-only file. */
function flipBit(path: string, at = -1): void {
  const { mode } = Deno.statSync(path), bytes = Deno.readFileSync(path);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index]! ^= 1;
  Deno.chmodSync(path, 0o644);
  Deno.writeFileSync(path, bytes);
  Deno.chmodSync(path, mode! & 0o777);
}

/** Ways in which a stored file is damaged, by what happened. */
const DAMAGES: Readonly<Record<string, (file: StoredFile, other: string) => void>> = {
  "a bit of a blob is flipped": ({ blob }) => flipBit(blob),
  "a bit is flipped through the hard link of a view": ({ view }) => flipBit(view),
  "a blob is truncated": ({ blob }) => {
    Deno.chmodSync(blob, 0o644);
    Deno.truncateSync(blob, 0);
  },
  "a blob is replaced by a directory": ({ blob }) => {
    Deno.removeSync(blob);
    Deno.mkdirSync(join(blob, "inside"), { recursive: true });
  },
  "a blob is replaced by a symbolic link": ({ blob }, other) => {
    Deno.copyFileSync(blob, other);
    flipBit(other);
    Deno.removeSync(blob);
    symlink(other, blob);
  },
  "a blob is missing": ({ blob }) => Deno.removeSync(blob),
  "a file of a view is replaced by another of its size": ({ view }) => {
    const bytes = Deno.readFileSync(view);
    bytes[0]! ^= 1;
    Deno.removeSync(view);
    Deno.writeFileSync(view, bytes);
  },
  "a file of a view is replaced by a symbolic link": ({ view }, other) => {
    Deno.copyFileSync(view, other);
    flipBit(other);
    Deno.removeSync(view);
    symlink(other, view);
  },
  "a view and its blob are damaged": ({ blob, view }) => {
    Deno.removeSync(view);
    Deno.writeTextFileSync(view, "other");
    flipBit(blob);
  },
};

/** A stored file that a later run reads: of which stage and port, and the settings of that run. */
interface Read {
  readonly stage: string;
  readonly iteration?: number;
  readonly port: string;
  readonly first: readonly string[];
  readonly later: readonly string[];
}

const FIRST = ["loop.count=3", "loop.count.limit=100"];

/** Files that a later run reads, by what they are. */
const READS: Readonly<Record<string, Read>> = {
  "model that the next iteration reads": {
    stage: "loop.count",
    iteration: 2,
    port: "model",
    first: FIRST,
    later: ["loop.count=4", "loop.count.limit=100"],
  },
  "Arrow file that a stage reads": {
    stage: "loop.count",
    iteration: 1,
    port: "metrics",
    first: FIRST,
    later: [...FIRST, "metrics.separator=+"],
  },
  "text that is copied to outputs/": { stage: "all", port: "text", first: FIRST, later: FIRST },
};

/** Returns the places of the (single) file of an output of a finished run. */
function storedFile(toy: ToyProject, { stage, iteration, port }: Read): StoredFile {
  const lines = Deno.readTextFileSync(toy.file("run/run.jsonl")).trim().split("\n");
  const { key } = lines.map((line) => JSON.parse(line)).findLast((event) =>
    event.type === "stage_finished" && event.stage === stage && event.iteration === iteration
  );
  const store = new Store(toy.file("run/store")), record = store.get(key)!;
  const [name, { digest }] = Object.entries(record.outputs[port]!.files)[0]!;
  const view = join(store.dir, "views", key, record.names[port]!, name);
  return { blob: join(store.dir, "blobs", digest.slice(0, 2), digest), view };
}

const expected = new Map<string, Promise<Record<string, string>>>();

/** Returns the content of `outputs/` of a run with `settings`, in a project where nothing was damaged. */
function undamaged(settings: readonly string[]): Promise<Record<string, string>> {
  const run = async () => {
    using toy = new ToyProject();
    return toy.outputs(await toy.run({ set: settings }));
  };
  const key = settings.join(" "), outputs = expected.get(key) ?? run();
  expected.set(key, outputs);
  return outputs;
}

/** Damages a file between two runs; the second must give the outputs of an undamaged store. */
async function damageBetween(damage: (file: StoredFile, other: string) => void, read: Read): Promise<void> {
  using toy = new ToyProject();
  await toy.run({ set: read.first });
  const file = storedFile(toy, read);
  const content = Deno.readFileSync(file.blob);
  damage(file, toy.file("other"));
  removeIfThere(toy.file("run/outputs"));
  const later = await toy.run({ set: read.later });
  assertEquals(toy.outputs(later), await undamaged(read.later));
  if (read.port === "metrics") assertEquals(Deno.readFileSync(file.view), content, "the view is repaired");
  assertEquals(Deno.lstatSync(file.blob).isFile, true);
  assertEquals(Deno.readFileSync(file.blob), content, "the blob is made again");
}

/** A run whose stage reads a file after it was changed must not record a result under the key of the old content. */
async function inputChanges(): Promise<void> {
  using toy = new ToyProject();
  const error = await assertRejects(() =>
    toy.run({
      listener: (event) => {
        if (event.type === "stage_started" && event.stage === "write") toy.write("base/value.txt", "7");
      },
    }), DataError);
  assertEquals(
    error.message,
    `Input ${toy.file("base")} changed during the run: run the same command again to use its new content`,
  );
  assertEquals(toy.outputs(await toy.run()).text?.includes("base=7"), true);
}

/** A stage of an earlier version read damaged bytes: --verify must drop its result, and all results made from that. */
async function verifyDropsWhatWasMadeFromDamage(): Promise<void> {
  using toy = new ToyProject();
  await toy.run();
  const file = storedFile(toy, { stage: "write", port: "text", first: [], later: [] });
  const store = new Store(toy.file("run/store")), before = store.records().length;
  flipBit(file.blob, 0);
  const { damaged, dropped } = verifyStore(store);
  assertEquals(damaged.length, 1);
  const stages = [...new Set(dropped.map((record) => record.parts.stage))].sort();
  assertEquals(stages, ["count-iterations", "join-text", "judge-models", "write-text"]);
  const left = store.records();
  assertEquals([left.length, dropped.length], [before - dropped.length, dropped.length]);
  // Only what nothing damaged went into is left: the stage that wrote the damaged file itself.
  assertEquals(left.map((record) => record.parts.inputs.text === undefined), left.map(() => false));
  const again = await toy.run();
  assertEquals(ran(again.events).includes("write"), true);
  assertEquals(toy.outputs(again), await undamaged([]));
}

/** Each bit flip in a record counts as no record, or changes nothing. */
async function recordBits(): Promise<void> {
  using toy = new ToyProject();
  await toy.run();
  const folder = toy.file("run/store/actions");
  const [name] = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
  const bytes = Deno.readFileSync(join(folder, name!));
  const whole = parseRecord(new TextDecoder().decode(bytes));
  assert(whole !== undefined);
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 1 << (at % 7);
    const record = parseRecord(new TextDecoder().decode(changed));
    if (record !== undefined) assertEquals(record, whole, `bit ${at % 7} of byte ${at} of a record`);
  }
}

/** A flipped digest in a record must not become the input of another key. */
async function recordDigest(): Promise<void> {
  using toy = new ToyProject();
  const first = await toy.run();
  const { key } = first.nodes.find(({ stage }) => stage === "write")!;
  const file = toy.file(`run/store/actions/${key}.json`), text = Deno.readTextFileSync(file);
  const [digest] = /(?<="digest": ")[0-9a-f]{64}/.exec(text)!;
  const other = (digest[0] === "a" ? "b" : "a") + digest.slice(1);
  Deno.writeTextFileSync(file, text.replaceAll(digest, other));
  const { events } = await toy.run();
  assertEquals(ran(events), ["write"]);
}

/** A disk that damages every write of a file: the run ends with exit code 65 and names the output. */
async function damagedAgain(): Promise<void> {
  using toy = new ToyProject();
  await toy.run();
  const { blob } = storedFile(toy, { stage: "write", port: "text", first: [], later: [] });
  flipBit(blob, 0);
  const error = await assertRejects(() =>
    toy.run({
      set: ["copies.count=4"],
      listener: (event) => {
        if (event.type === "stage_finished" && event.stage === "write") flipBit(blob, 0);
      },
    }), DataError);
  const problem = "was made again and is missing or damaged again: check the disk of the store";
  assertEquals(error.message, `Output text of write ${problem}`);
}

/** What a stage writes into its output again must replace a damaged blob of the same content. */
async function equalFile(): Promise<void> {
  using toy = new ToyProject();
  await toy.run();
  const read: Read = { stage: "write", port: "text", first: [], later: [] };
  const { blob } = storedFile(toy, read);
  const content = Deno.readFileSync(blob);
  flipBit(blob, 0);
  await toy.run({ fresh: true });
  assertEquals(Deno.readFileSync(blob), content);
}

/** outputs/ are copies: writing to them changes nothing in the store. */
async function changedOutput(): Promise<void> {
  using toy = new ToyProject();
  const first = await toy.run();
  const { blob } = storedFile(toy, { stage: "all", port: "text", first: [], later: [] });
  const content = Deno.readFileSync(blob), path = first.outputs.text!;
  assertEquals(Deno.statSync(path).nlink, 1);
  flipBit(path, 0);
  assertEquals(Deno.readFileSync(blob), content);
  assertEquals(toy.outputs(await toy.run()), await undamaged([]));
}

/** A file that someone adds to a view must not reach the stage that lists the directory. */
async function addedFile(): Promise<void> {
  using toy = new ToyProject();
  await toy.run({ set: FIRST });
  const read = READS["model that the next iteration reads"]!;
  const { view } = storedFile(toy, read);
  Deno.writeTextFileSync(join(dirname(view), "extra.safetensors"), "");
  await toy.run({ set: read.later });
  assertEquals([...Deno.readDirSync(dirname(view))].map(({ name }) => name), ["value.txt"]);
}

/** Incomplete files of killed runs are removed, checkpoints of stages are kept. */
async function leftovers(directory: TemporaryDirectory): Promise<void> {
  using toy = new ToyProject();
  await toy.run();
  const store = toy.file("run/store"), key = "a".repeat(64);
  const left = [
    `tmp/${key}/try-01234567/model/weights`,
    `actions/.${key}.json.01234567.partial`,
    `actions/${key}.json.01234567.partial`,
    `views/${key}/.model.01234567.partial/weights`,
    ".input_digests.json.01234567.partial",
  ];
  const kept = `tmp/${key}/scratch/checkpoint`;
  for (const name of [...left, kept]) {
    Deno.mkdirSync(dirname(join(store, name)), { recursive: true });
    Deno.writeTextFileSync(join(store, name), "");
  }
  const report = toy.write("run/.report.html.01234567.partial", "");
  await toy.run({ runDir: directory.file("elsewhere"), storeDir: store });
  await toy.run();
  const exists = (path: string) => {
    try {
      return Deno.lstatSync(path) !== undefined;
    } catch {
      return false;
    }
  };
  assertEquals([...left.map((name) => join(store, name)), report].filter(exists), []);
  assertEquals(exists(join(store, kept)), true);
}

/** Damages the SFT model of the small quickstart through its view, which stages of the next run read. */
async function quickstart(): Promise<void> {
  using small = new SmallQuickstart();
  const more = ["--set", "ppo.count=4"];
  await small.run("undamaged", ...more);
  const events = await small.run("damaged");
  const damage = () => {
    const { key } = events.find((event) => event.type === "stage_finished" && event.stage === "sft") as {
      key: string;
    };
    flipBit(small.file(`damaged/store/views/${key}/policy/model.safetensors`), 5000);
  };
  damage();
  const { code, err } = await finish(small.start("damaged", "--json", ...more));
  assertEquals(code, 0, err);
  assert(/^Warning: output policy of sft is damaged in the store: it is made again/m.test(err), err);
  const expected = small.bytes("undamaged"), { outputs, actions } = small.bytes("damaged");
  assertEquals(outputs, expected.outputs);
  for (const [key, action] of Object.entries(expected.actions)) assertEquals(actions[key], action, key);

  damage();
  const verified = await finish(small.start("damaged", "--json", "--verify", ...more));
  assertEquals(verified.code, 0, verified.err);
  assert(/^Damaged entries deleted from the store: [0-9a-f]{64}$/m.test(verified.err), verified.err);
  const dropped = /^Results that may have been made from them .*: (.*)$/m.exec(verified.err)?.[1] ?? "";
  for (const stage of ["score", "ppo-update"]) assert(dropped.includes(`${stage} `), dropped);
  assertEquals(small.bytes("damaged").outputs, expected.outputs);
}

/** All attacks on the store. */
export const attacks: readonly Attack[] = [
  ...Object.entries(DAMAGES).flatMap(([damage, apply]) =>
    Object.entries(READS).map(([what, read]) => ({
      name: `${damage}: ${what}`,
      slow: read.port !== "metrics",
      run: () => damageBetween(apply, read),
    }))
  ),
  { name: "a bit of a record is flipped: it counts as no record", run: recordBits },
  { name: "a digest in a record is changed: the action runs again, others stay cached", run: recordDigest },
  { name: "a damaged blob is replaced when another action writes the same bytes", run: equalFile },
  { name: "an output that is damaged again after it was made again ends the run", run: damagedAgain },
  { name: "outputs/ are copies: changing one changes nothing in the store", run: changedOutput },
  { name: "a file added to a view does not reach a stage", run: addedFile },
  {
    name: "an input that changes during the run is named, and no result is recorded for it",
    run: inputChanges,
  },
  { name: "--verify drops all results made from damaged bytes", run: verifyDropsWhatWasMadeFromDamage },
  {
    name:
      "the SFT model of the quickstart is damaged: a run makes it again, --verify drops what was made from it",
    slow: true,
    run: quickstart,
  },
  { name: "incomplete files of killed runs are removed", run: leftovers },
];
