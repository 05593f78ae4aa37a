import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { DataError, UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { type FakeHub, fakeHub } from "@/tests/support/fake_hub.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import type { FileStart } from "./download_file.ts";
import { downloadModel } from "./download_model.ts";
import { parseModelReference } from "./model_reference.ts";

const MODEL = "fixtures/goldens/corrupt/ok_model";
const WEIGHTS = Deno.readFileSync(`${MODEL}/model.safetensors`);
const FILES = {
  "config.json": Deno.readFileSync(`${MODEL}/config.json`),
  "model.safetensors": WEIGHTS,
  "tokenizer.json": "{}",
  "README.md": "# Tiny",
  "pytorch_model.bin": "pickle",
  "modeling_tiny.py": "import os",
  "model.fp16.safetensors": "another",
};

function download(hub: FakeHub, cache: TemporaryDirectory, options: {
  readonly text?: string;
  readonly token?: string;
  readonly starts?: FileStart[];
  readonly warnings?: string[];
} = {}): Promise<string> {
  const { text = "hf:org/tiny", token, starts, warnings } = options;
  const reference = parseModelReference(text);
  return downloadModel({ reference, endpoint: hub.endpoint, token }, {
    cache: cache.path,
    onStart: (start) => starts?.push(start),
    warn: (message) => warnings?.push(message),
  });
}

const names = (directory: string) => Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();

Deno.test("the files of a model are downloaded into a directory named after the commit, and no others", async () => {
  await using hub = fakeHub(FILES);
  using cache = new TemporaryDirectory();
  const directory = await download(hub, cache);
  assertEquals(directory, join(cache.path, "models--org--tiny", hub.commit));
  assertEquals(names(directory), ["config.json", "model.safetensors", "tokenizer.json"]);
  assertEquals(Deno.readFileSync(join(directory, "model.safetensors")), WEIGHTS);
  assertEquals(names(join(cache.path, "models--org--tiny")), [
    hub.commit,
    `${hub.commit}.files.json`,
    "lock",
    "refs",
  ]);
});

Deno.test("a cached model is not downloaded again; a commit needs no network", async () => {
  await using hub = fakeHub(FILES);
  using cache = new TemporaryDirectory();
  const directory = await download(hub, cache);
  hub.requests.length = 0;
  assertEquals(await download(hub, cache), directory);
  assertEquals(hub.requests, ["GET /api/models/org/tiny/revision/main"]);
  assertEquals(await download(hub, cache, { text: `hf:org/tiny@${hub.commit}` }), directory);
  assertEquals(hub.requests.length, 1);
});

Deno.test("another commit of the branch is another directory", async () => {
  await using hub = fakeHub(FILES);
  using cache = new TemporaryDirectory();
  const before = await download(hub, cache);
  hub.commit = "f".repeat(40);
  const after = await download(hub, cache);
  assertEquals([before.endsWith("01234567"), after.endsWith("ffff")], [true, true]);
});

Deno.test("shards listed in the index are downloaded", async () => {
  const sharded = "fixtures/goldens/corrupt/ok_sharded";
  const stored = names(sharded);
  await using hub = fakeHub({
    ...Object.fromEntries(stored.map((name) => [name, Deno.readFileSync(join(sharded, name))])),
    "consolidated.safetensors": "another",
  });
  using cache = new TemporaryDirectory();
  assertEquals(names(await download(hub, cache)), stored);
});

Deno.test("a broken download is resumed, in the same run and in the next", async () => {
  await using hub = fakeHub(FILES);
  using cache = new TemporaryDirectory();
  const third = Math.ceil(WEIGHTS.length / 3);
  hub.cutAfter = third;
  await download(hub, cache);
  const parts = hub.requests.filter((line) => /^GET \/storage\/.* bytes=[1-9]/.test(line));
  assertEquals(parts.map((line) => line.split("=")[1]), [
    `${third}-${WEIGHTS.length - 1}`,
    `${2 * third}-${WEIGHTS.length - 1}`,
  ]);

  using second = new TemporaryDirectory();
  const unfinished = join(second.path, "models--org--tiny", `${hub.commit}.unfinished`);
  Deno.mkdirSync(unfinished, { recursive: true });
  Deno.writeFileSync(join(unfinished, "model.safetensors.incomplete"), WEIGHTS.subarray(0, 1000));
  const starts: FileStart[] = [];
  delete hub.cutAfter;
  const directory = await download(hub, second, { starts });
  assertEquals(Deno.readFileSync(join(directory, "model.safetensors")), WEIGHTS);
  const start = starts.find(({ name }) => name === "model.safetensors");
  assertEquals(start, { name: "model.safetensors", bytes: WEIGHTS.length, here: 1000 });
});

Deno.test("a hub that sends the whole file instead of a part is refused", async () => {
  await using hub = fakeHub(FILES);
  using cache = new TemporaryDirectory();
  hub.cutAfter = 100;
  hub.ignoresRange = true;
  const partial = join(
    cache.path,
    "models--org--tiny",
    `${hub.commit}.unfinished`,
    "model.safetensors.incomplete",
  );
  const error = await assertRejects(() => download(hub, cache), UnavailableError);
  assertEquals(
    error.message,
    `Cannot resume ${partial}: the hub must send parts of files, got the whole file (run again to start over)`,
  );
});

Deno.test("bytes with another digest are refused and removed, for large and small files", async () => {
  for (const [name, kind] of [["model.safetensors", "SHA-256"], ["config.json", "git digest"]] as const) {
    await using hub = fakeHub(FILES);
    using cache = new TemporaryDirectory();
    const bytes = hub.files.get(name)!.slice();
    bytes[bytes.length - 1]! ^= 1;
    hub.damaged.set(name, bytes);
    const error = await assertRejects(() => download(hub, cache), DataError);
    const [, what, wanted, found] = /^(.*) must be (\w+), got (\w+)$/.exec(error.message) ?? [];
    assertEquals(what, `${name} of hf:org/tiny: its ${kind}`);
    assertEquals([wanted!.length, wanted === found], [kind === "SHA-256" ? 64 : 40, false]);
    hub.damaged.clear();
    await download(hub, cache);
  }
});

Deno.test("a token gives access to private models; missing and private models are usage errors", async () => {
  await using hub = fakeHub(FILES);
  using cache = new TemporaryDirectory();
  hub.token = "hf_secret";
  const closed = await assertRejects(() => download(hub, cache), UsageError);
  assertEquals(
    closed.message,
    `Cannot download hf:org/tiny: ${hub.endpoint} has no such model and revision, or it is private ` +
      "(HF_TOKEN is not set); status 401",
  );
  await download(hub, cache, { token: "hf_secret" });
  const absent = await assertRejects(
    () => download(hub, cache, { text: "hf:org/none@v1", token: "hf_secret" }),
    UsageError,
  );
  assertEquals(
    absent.message,
    `Cannot download hf:org/none@v1: ${hub.endpoint} has no such model and revision, or it is not accessible with ` +
      "HF_TOKEN; status 404",
  );
});

Deno.test("if the hub does not respond, the last known commit is used if there is one", async () => {
  const hub = fakeHub(FILES);
  using cache = new TemporaryDirectory();
  using empty = new TemporaryDirectory();
  const directory = await download(hub, cache);
  await hub[Symbol.asyncDispose]();
  const warnings: string[] = [];
  assertEquals(await download(hub, cache, { warnings }), directory);
  assertEquals(warnings, [
    `${hub.endpoint} does not respond: using commit ${hub.commit} of hf:org/tiny, which was downloaded earlier`,
  ]);
  const error = await assertRejects(() => download(hub, empty), UnavailableError);
  assertEquals(
    error.message.startsWith(`Cannot download hf:org/tiny: request to ${hub.endpoint} failed: `),
    true,
  );
  assertEquals(error.message.includes("\n"), false);
});

Deno.test("a repository without a supported model is refused, and its pickle files are named", async () => {
  await using hub = fakeHub({ "config.json": "{}", "pytorch_model.bin": "x", "flax_model.msgpack": "x" });
  using cache = new TemporaryDirectory();
  const error = await assertRejects(() => download(hub, cache), DataError);
  assertEquals(
    error.message,
    "hf:org/tiny must hold model.safetensors or model.safetensors.index.json, " +
      "got only pytorch_model.bin (pickle files can run code, so they are not read)",
  );
});

Deno.test("damaged and missing files of a cached model are downloaded again, and only they", async () => {
  await using hub = fakeHub(FILES);
  using cache = new TemporaryDirectory();
  const directory = await download(hub, cache), weights = join(directory, "model.safetensors");
  const damaged = WEIGHTS.slice();
  damaged[20]! ^= 1;
  Deno.writeFileSync(weights, damaged);
  // A change within the same millisecond, which is the unit of times here, would not be seen.
  Deno.utimeSync(weights, 1, 1);
  Deno.removeSync(join(directory, "tokenizer.json"));
  const starts: FileStart[] = [], warnings: string[] = [];
  assertEquals(await download(hub, cache, { starts, warnings }), directory);
  assertEquals(Deno.readFileSync(weights), WEIGHTS);
  assertEquals(starts.map(({ name }) => name), ["tokenizer.json", "model.safetensors"]);
  assertEquals(
    warnings.map((line) => line.replaceAll(/[0-9a-f]{40,}/g, "…").replaceAll(cache.path, "CACHE")),
    [
      "CACHE/models--org--tiny/…/tokenizer.json: its git digest must be …, got no file; it is downloaded again",
      "CACHE/models--org--tiny/…/model.safetensors: its SHA-256 must be …, got …; it is downloaded again",
    ],
  );
});

Deno.test("a file of the cache is read again only if its inode, size or times changed", async () => {
  await using hub = fakeHub(FILES);
  using cache = new TemporaryDirectory();
  const directory = await download(hub, cache), record = `${directory}.files.json`;
  const before = Deno.readTextFileSync(record);
  await download(hub, cache);
  assertEquals(Deno.readTextFileSync(record), before);
  Deno.utimeSync(join(directory, "config.json"), 1, 1);
  await download(hub, cache);
  assertEquals(Deno.readTextFileSync(record) === before, false);
  // A digest that is wrong in the record is not noticed as long as the file looks the same: the file is not read.
  Deno.writeTextFileSync(
    record,
    Deno.readTextFileSync(record).replaceAll(/"digest": "[^"]*"/g, '"digest": "0"'),
  );
  assertEquals(await download(hub, cache), directory);
});

Deno.test("a model without stored digests is compared with the hub's, and used with a warning if that does not respond", async () => {
  const hub = fakeHub(FILES);
  using cache = new TemporaryDirectory();
  const text = `hf:org/tiny@${hub.commit}`, directory = await download(hub, cache);
  const weights = join(directory, "model.safetensors"), record = `${directory}.files.json`;
  Deno.removeSync(record);
  Deno.writeFileSync(weights, WEIGHTS.subarray(1));
  assertEquals(await download(hub, cache, { text }), directory);
  assertEquals(Deno.readFileSync(weights), WEIGHTS);
  Deno.removeSync(record);
  await hub[Symbol.asyncDispose]();
  const warnings: string[] = [];
  assertEquals(await download(hub, cache, { text, warnings }), directory);
  assertEquals(warnings, [
    `${hub.endpoint} does not respond: the files of ${directory} are used without a check`,
  ]);
});

Deno.test("of a data set the files with rows are downloaded into their folders, and no others", async () => {
  const rows = Deno.readFileSync("fixtures/quickstart/demos.jsonl");
  await using hub = fakeHub({
    "README.md": "# Rows",
    "data/test-00000-of-00001.jsonl": rows,
    "script.py": "import os",
    "../outside.jsonl": "{}",
  });
  using cache = new TemporaryDirectory();
  const directory = await download(hub, cache, { text: "hf:datasets/org/tiny@main" });
  assertEquals(directory, join(cache.path, "datasets--org--tiny", hub.commit));
  assertEquals(names(directory), ["data"]);
  assertEquals(Deno.readFileSync(join(directory, "data/test-00000-of-00001.jsonl")), rows);
  hub.requests.length = 0;
  assertEquals(await download(hub, cache, { text: `hf:datasets/org/tiny@${hub.commit}` }), directory);
  assertEquals(hub.requests, []);
});

Deno.test("a data set without files of rows is an error", async () => {
  await using hub = fakeHub({ "README.md": "# Rows" });
  using cache = new TemporaryDirectory();
  const error = await assertRejects(() => download(hub, cache, { text: "hf:datasets/org/tiny" }), DataError);
  assertEquals(
    error.message,
    "hf:datasets/org/tiny must hold Parquet, JSON Lines, JSON, CSV, TSV or Arrow files, got README.md",
  );
});
