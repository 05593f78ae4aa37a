import { assertEquals, assertRejects } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { checkCorrupt } from "./check_corrupt.ts";

/** A golden with these cases; its lines by check, those of time and memory left out. */
async function check(directory: TemporaryDirectory, cases: readonly Record<string, unknown>[]) {
  directory.write("expected.jsonl", cases.map((one) => JSON.stringify(one)).join("\n"));
  const lines = await checkCorrupt(directory.path, directory.file("scratch"));
  assertEquals(lines.slice(-2).map(({ check, ok }) => [check, ok]), [
    ["seconds for a file", true],
    ["MiB for a file", true],
  ]);
  return lines.slice(0, -2).map(({ check, ok, worst }) => [check, ok, worst]);
}

Deno.test("the stored corrupt models, tokenizers, adapters and rows are refused with the expected messages", async () => {
  const stored = "fixtures/goldens/corrupt";
  using scratch = new TemporaryDirectory();
  const lines = await checkCorrupt(stored, scratch.path);
  const refused = lines.filter(({ check }) => /^corrupt (model|tokenizer|adapter|rows)/.test(check));
  assertEquals(refused.map(({ ok, worst }) => [ok, worst]), new Array(4).fill([true, ""]));
  const [valid] = lines;
  assertEquals([valid!.check, valid!.places.length], ["valid: accepted", 9]);
  assertEquals([...Deno.readDirSync(scratch.path)], [], "files that a rule made are removed");
});

Deno.test("an accepted corrupt file, a silent message, a wrong exit code and a refused valid file are noticed", async () => {
  using directory = new TemporaryDirectory();
  directory.write("good.jsonl", '{"prompt":"Q","response":"a"}\n');
  directory.write("bad.jsonl", '{"prompt":"Q"}\n{"prompt":"Q","response":"a"}\n');
  const path = directory.file("bad.jsonl");
  const message = `${path}: every row must have a text in "prompt" and "response" and a unique id, got ` +
    '1 bad row: line 1 (missing field "response", got "prompt")';
  const rows = { kind: "rows", why: "of a test" };
  assertEquals(
    await check(directory, [
      { file: "bad.jsonl", kind: "control" },
      { ...rows, file: "good.jsonl", must_mention: [] },
      { ...rows, file: "bad.jsonl", must_mention: ["BAD.jsonl", "line 7"] },
      { ...rows, file: "bad.jsonl", must_mention: ["line 1"] },
      { ...rows, file: "good.jsonl", allow: "ignore" },
    ]),
    [
      ["valid: accepted", false, `bad.jsonl: refused: ${message}`],
      [
        "corrupt rows: refused",
        false,
        `good.jsonl: accepted, though of a test; bad.jsonl: no "line 7" in: ${message}`,
      ],
    ],
  );
});

Deno.test("a file with a rule is generated before it is opened", async () => {
  using directory = new TemporaryDirectory();
  const lines = [{ text: '{"prompt":"Q","response":"a"}' }, {
    prefix: "{",
    repeat: "[",
    count: 3,
    suffix: "",
  }];
  const one = {
    file: "made.jsonl",
    kind: "rows",
    why: "cut",
    must_mention: ["made.jsonl", "line 2", "{[[["],
  };
  const found = await check(directory, [{ ...one, generate: { lines } }]);
  assertEquals(found[0]!.slice(0, 2), ["corrupt rows: refused", false]);
  const [, , worst] = found[0]!;
  assertEquals(/^made\.jsonl: no "\{\[\[\[" in: .*line 2/.test(String(worst)), true, String(worst));
  const list = directory.file("expected.jsonl");
  await assertRejects(
    () => check(directory, [{ ...one, generate: { lines: [] } }]),
    DataError,
    `${list}:1: generate.lines: Too small: expected array to have >=1 items`,
  );
  await assertRejects(
    () => check(directory, [{ ...one, kind: "video" }]),
    DataError,
    `${list}:1: kind: Invalid option: expected one of "model"|"tokenizer"|"adapter"|"rows"|"control"`,
  );
});
