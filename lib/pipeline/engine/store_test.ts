import { assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { digestJson } from "@/lib/data/files/digest.ts";
import { fileContent } from "@/lib/data/files/hand_over.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { type ActionRecord, hostFacts, parseRecord } from "./action_record.ts";
import { InputDigests } from "./input_digests.ts";
import { Store } from "./store.ts";
import { MemoryFiles } from "./memory_files.ts";
import { StoreUsers } from "./store_users.ts";
import { readTree } from "./tree.ts";
import { verifyStore } from "./verify_store.ts";

const UNFINISHED: Omit<ActionRecord, "outputs"> = {
  version: 1,
  key: "k1",
  parts: { stage: "s", code: "c", params: {}, inputs: {} },
  names: { policy: "policy", log: "log.arrow", extra: "extra" },
  seconds: 1,
  finished: "2026-01-01T00:00:00.000Z",
  host: hostFacts("1.30.0", 2),
};

async function commitOne(store: Store, edit: (attempt: string) => void = () => {}): Promise<ActionRecord> {
  const attempt = store.attempt("k1");
  Deno.mkdirSync(join(attempt, "policy/deep"), { recursive: true });
  Deno.writeTextFileSync(join(attempt, "policy/config.json"), "{}");
  Deno.writeTextFileSync(join(attempt, "policy/deep/weights"), "1234");
  Deno.writeTextFileSync(join(attempt, "log.arrow"), "{}");
  edit(attempt);
  return await store.commit(attempt, UNFINISHED);
}

Deno.test("a committed action is stored with all its bytes, read-only, equal files once", async () => {
  using dir = new TemporaryDirectory();
  const store = new Store(dir.path);
  assertEquals(store.get("k1"), undefined);
  const record = await commitOne(store);
  assertEquals(store.get("k1"), record);
  assertEquals(
    Object.keys(record.outputs).sort(),
    ["log", "policy"],
    "an output that was not written is not on record",
  );
  const view = await store.view(record, "policy");
  assertEquals(readTree(view), record.outputs.policy);
  assertEquals(Deno.readTextFileSync(join(view, "deep/weights")), "1234");
  assertEquals(Deno.statSync(join(view, "deep/weights")).mode! & 0o777, 0o444);
  assertEquals(
    Deno.statSync(join(view, "config.json")).ino,
    Deno.statSync(await store.view(record, "log")).ino,
  );
  assertEquals([...Deno.readDirSync(dir.file("tmp"))], [], "nothing temporary is left");
  assertEquals(store.records(), [record]);
});

Deno.test("a user's file that a stage linked into its output stays writable and independent", async () => {
  using dir = new TemporaryDirectory();
  const mine = dir.write("mine.txt", "mine");
  const store = new Store(dir.file("store"));
  const record = await commitOne(store, (attempt) => Deno.linkSync(mine, join(attempt, "policy/mine.txt")));
  Deno.writeTextFileSync(mine, "changed");
  assertEquals(Deno.readTextFileSync(join(await store.view(record, "policy"), "mine.txt")), "mine");
  assertEquals(Deno.statSync(mine).mode! & 0o200, 0o200);
});

Deno.test("a blob that is truncated, missing or changed is found", async () => {
  using dir = new TemporaryDirectory();
  const store = new Store(dir.path);
  const record = await commitOne(store);
  const digest = record.outputs.policy!.files["deep/weights"]!.digest;
  const blob = dir.file(`blobs/${digest.slice(0, 2)}/${digest}`);
  Deno.chmodSync(blob, 0o644);
  Deno.writeTextFileSync(blob, "4321");
  assertEquals(store.holds(record.outputs.policy!), true, "its size is right");
  assertEquals(verifyStore(store), { damaged: [digest], dropped: [] });
  assertEquals(store.holds(record.outputs.policy!), false);
  assertEquals(store.holds(record.outputs.log!), true);
  await commitOne(store);
  assertEquals(store.holds(record.outputs.policy!), true);
  assertEquals(readTree(await store.view(record, "policy")), record.outputs.policy);
  Deno.chmodSync(blob, 0o644);
  Deno.truncateSync(blob, 1);
  assertEquals(store.holds(record.outputs.policy!), false);
});

Deno.test("prune() removes what is not kept; the record stays", async () => {
  using dir = new TemporaryDirectory();
  const store = new Store(dir.path);
  const record = await commitOne(store);
  const kept = record.outputs.policy!.files["config.json"]!.digest;
  store.prune(record, ["policy"], new Set([kept]));
  assertEquals(store.holds(record.outputs.policy!), false);
  assertEquals(store.holds(record.outputs.log!), true, "it shares a blob that is kept");
  assertEquals(store.get("k1"), record);
});

Deno.test("a record that is truncated or of another version counts as none", async () => {
  using dir = new TemporaryDirectory();
  const store = new Store(dir.path);
  await commitOne(store);
  const text = Deno.readTextFileSync(dir.file("actions/k1.json"));
  assertEquals(parseRecord(text.slice(0, -9)), undefined);
  assertEquals(parseRecord(text.replace('"version": 1', '"version": 2')), undefined);
  assertEquals(parseRecord(text.replace('"policy": "policy"', '"policy": "../../policy"')), undefined);
});

Deno.test("a record with a flipped bit counts as none, one of an earlier version without a checksum as it is", async () => {
  using dir = new TemporaryDirectory();
  const store = new Store(dir.path), record = await commitOne(store);
  const text = Deno.readTextFileSync(dir.file("actions/k1.json"));
  const digest = record.outputs.policy!.digest, other = `${digest[0] === "a" ? "b" : "a"}${digest.slice(1)}`;
  assertEquals(parseRecord(text.replace(digest, other)), undefined);
  const { check: _, ...fields } = JSON.parse(text);
  assertEquals(parseRecord(JSON.stringify(fields)), record);
  Deno.renameSync(dir.file("actions/k1.json"), dir.file("actions/k2.json"));
  assertEquals(store.get("k2"), undefined, "the record of another action");
});

Deno.test("what another process changed in a view is replaced, and a damaged blob is removed before it is read", async () => {
  using dir = new TemporaryDirectory();
  const store = new Store(dir.path), record = await commitOne(store), tree = record.outputs.policy!;
  const view = await store.view(record, "policy");
  Deno.removeSync(join(view, "config.json"));
  Deno.writeTextFileSync(join(view, "config.json"), "[]");
  Deno.writeTextFileSync(join(view, "more.json"), "{}");
  assertEquals(readTree(await store.view(record, "policy")), tree);
  assertEquals(store.removeDamaged(tree), []);
  const file = join(view, "deep/weights");
  Deno.chmodSync(file, 0o644);
  Deno.writeTextFileSync(file, "4321");
  assertEquals(store.removeDamaged(tree), [tree.files["deep/weights"]!.digest]);
  assertEquals([store.holds(tree), store.removeDamaged(tree)], [false, []]);
});

Deno.test("only a run that is alone in a store may remove things", () => {
  using dir = new TemporaryDirectory();
  const first = new StoreUsers(dir.path);
  const second = new StoreUsers(dir.path);
  let count = 0;
  assertEquals(first.ifAlone(() => count++), false);
  second[Symbol.dispose]();
  assertEquals(first.ifAlone(() => count++), true);
  using _third = new StoreUsers(dir.path);
  assertEquals(first.ifAlone(() => count++), false);
  first[Symbol.dispose]();
  assertEquals(count, 1);
});

Deno.test("a store that cannot be created is refused", () => {
  using dir = new TemporaryDirectory();
  const path = `${dir.write("file", "")}/store`;
  const error = assertThrows(() => new Store(path), UsageError);
  assertEquals(error.message, `Cannot write ${path}: a part of the path is not a directory`);
});

Deno.test("digests of inputs are cached until a file changes, and never for a file that was just written", async () => {
  using dir = new TemporaryDirectory();
  Deno.mkdirSync(dir.file("model"));
  const file = dir.write("model/weights", "1");
  Deno.utimeSync(file, 1000, 1000);
  const first = new InputDigests(dir.path);
  const digest = first.tree(dir.file("model")).digest;
  await first.save();
  const memo = JSON.parse(Deno.readTextFileSync(dir.file("input_digests.json")));
  memo.entries[dir.file("model")].tree.digest = "remembered";
  dir.write("input_digests.json", JSON.stringify(memo));
  assertEquals(
    new InputDigests(dir.path).tree(dir.file("model")).digest,
    digest,
    "a changed cache counts as none",
  );
  memo.check = digestJson(memo.entries);
  dir.write("input_digests.json", JSON.stringify(memo));
  assertEquals(new InputDigests(dir.path).tree(dir.file("model")).digest, "remembered");
  dir.write("model/weights", "2");
  assertEquals(new InputDigests(dir.path).tree(dir.file("model")).digest === digest, false);
  const second = new InputDigests(dir.path);
  second.tree(dir.file("model"));
  await second.save();
  assertEquals(new InputDigests(dir.path).tree(dir.file("model")).files.weights?.size, 1);
});

Deno.test("a file that was handed over and not written has the digest of the written file, and publish() writes it", async () => {
  using dir = new TemporaryDirectory();
  const whole = await commitOne(new Store(dir.file("whole")));
  const memory = new MemoryFiles(0), store = new Store(dir.file("store"), memory);
  const attempt = store.attempt("k1"),
    content = fileContent(["12", "34"].map((t) => new TextEncoder().encode(t)));
  for (const file of ["policy/config.json", "log.arrow"]) {
    Deno.mkdirSync(join(attempt, "policy"), { recursive: true });
    Deno.writeTextFileSync(join(attempt, file), "{}");
  }
  const given = new Map([[join(attempt, "policy/deep/weights"), content]]);
  const record = await store.commit(attempt, UNFINISHED, given);
  assertEquals(record, { ...whole, unpublished: ["policy"] });
  const tree = record.outputs.policy!;
  assertEquals([store.holds(tree), store.reaches(tree), new Store(store.dir).reaches(tree)], [
    false,
    true,
    false,
  ]);
  const view = await store.view(record, "policy");
  assertEquals(memory.at(join(view, "deep/weights")), content);
  assertEquals([...Deno.readDirSync(view)].map(({ name }) => name), ["config.json"]);

  assertEquals(store.publish(record, ["log"]), record);
  assertEquals(store.publish(record, ["policy"]), whole);
  assertEquals(store.get("k1"), whole);
  assertEquals([store.holds(tree), memory.bytes], [true, 0], "what is written may be evicted");
  assertEquals(readTree(await store.view(whole, "policy")), tree);
  assertEquals([...Deno.readDirSync(dir.file("store/tmp"))], [], "nothing temporary is left");
});

Deno.test("forget() drops files that are only in memory, except kept ones; publish() then changes nothing", async () => {
  using dir = new TemporaryDirectory();
  const memory = new MemoryFiles(0), store = new Store(dir.path, memory);
  const attempt = store.attempt("k1"), content = fileContent([Uint8Array.of(1)]);
  Deno.mkdirSync(join(attempt, "policy"));
  const record = await store.commit(
    attempt,
    UNFINISHED,
    new Map([[join(attempt, "policy/weights"), content]]),
  );
  const tree = record.outputs.policy!;
  store.forget(record, ["policy"], new Set([tree.files.weights!.digest]));
  assertEquals(store.reaches(tree), true);
  store.forget(record, ["policy"], new Set());
  assertEquals(store.reaches(tree), false);
  assertEquals(store.publish(record, ["policy"]), record);
});
