/** Demonstrations in every format and layout give the rows that they were written from. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import type { Layout } from "./layouts.ts";
import { readDemonstrations, readUserPrompts } from "./user_rows.ts";

const LAYOUTS = "fixtures/goldens/layouts";
const CORRUPT = "fixtures/goldens/corrupt";

interface GoldenFile {
  readonly file: string;
  readonly layout: Layout;
  readonly rows: number;
  readonly columns?: { readonly prompt: string; readonly response: string };
}

interface GoldenRow {
  readonly file: string;
  readonly row: number;
  readonly messages?: unknown;
  readonly text?: string;
}

const lines = <T>(path: string): T[] =>
  Deno.readTextFileSync(path).trim().split("\n").map((line) => JSON.parse(line));
const files = lines<GoldenFile>(`${LAYOUTS}/files.jsonl`);
const expected = lines<GoldenRow>(`${LAYOUTS}/expected.jsonl`);

for (const { file, layout, rows, columns } of files) {
  Deno.test(`${file} gives its ${rows} rows, verbatim, its layout seen or named`, async () => {
    const names = { prompt_field: columns?.prompt ?? "", response_field: columns?.response ?? "" };
    const wanted = expected.filter((row) => row.file === file).map(({ messages, text }) => messages ?? text);
    assertEquals(wanted.length, rows);
    for (const name of ["auto", layout] as const) {
      const read = await readDemonstrations([`${LAYOUTS}/${file}`], {
        ...names,
        layout: name,
      });
      const found = read.rows.map(({ content }) => content.kind === "chat" ? content.messages : content.text);
      assertEquals(found, wanted as typeof found);
    }
  });
}

Deno.test("all 26 files exist", () => assertEquals(files.length, 26));

interface Corrupt {
  readonly file: string;
  readonly kind: string;
  readonly must_mention: readonly string[];
  readonly generate?: unknown;
}

const corrupt = lines<Corrupt>(`${CORRUPT}/expected.jsonl`).filter(({ file, generate }) =>
  !generate && /\.(csv|json|jsonl|parquet|arrows?)$/.test(file)
);

for (const { file, kind, must_mention } of corrupt) {
  if (kind === "rows") {
    Deno.test(`${file} is refused once, with all that must be mentioned`, async () => {
      const path = `${CORRUPT}/${file}`;
      const error = await assertRejects(() => readDemonstrations([path]), DataError);
      for (const word of must_mention) {
        assert(error.message.toLowerCase().includes(word.toLowerCase()), `no "${word}" in: ${error.message}`);
      }
      assert(!/\.$/.test(error.message), error.message);
    });
  } else if (kind === "control") {
    Deno.test(`${file} is accepted`, async () => {
      const { rows } = await readDemonstrations([`${CORRUPT}/${file}`]);
      assertEquals(rows.length, 20);
    });
  }
}

Deno.test("the corrupt files of every format were tried", () => assertEquals(corrupt.length, 57));

Deno.test("prompts are read from every layout that has some; a response at the end is not part of a prompt", async () => {
  for (const name of ["prompt_response.jsonl", "qa.csv", "alpaca.json", "messages.arrow", "sharegpt.json"]) {
    const { rows } = await readUserPrompts(`${LAYOUTS}/${name}`);
    assertEquals(rows[0]!.content, {
      kind: "chat",
      messages: [{ role: "user", content: "Name the capital of Portugal." }],
    });
  }
});

async function inTemporary(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("a directory stands for its data files, in the order of their names, and messages name the file", () =>
  inTemporary(async (dir) => {
    await Deno.writeTextFile(`${dir}/b.csv`, "prompt,response\nB?,b\n");
    await Deno.writeTextFile(`${dir}/a.jsonl`, '{"prompt":"A?","response":"a"}\n');
    await Deno.writeTextFile(`${dir}/notes.md`, "no data");
    const { rows } = await readDemonstrations([dir]);
    assertEquals(rows.map(({ id, at, place }) => [id, at, place]), [
      ["1:line-1", `line 1 of ${dir}/a.jsonl`, "1:1"],
      ["2:line-2", `line 2 of ${dir}/b.csv`, "2:2"],
    ]);
    await Deno.writeTextFile(`${dir}/b.csv`, "prompt,response\nB?,\n");
    const error = await assertRejects(() => readDemonstrations([dir]), DataError);
    assertEquals(
      error.message,
      `${dir}/b.csv: every row must have a text in "prompt" and "response" and a unique id, got ` +
        "1 bad row: line 2 (response is empty)",
    );
  }));

Deno.test("weights repeat the rows of a path, whole copies and a share at equal distances", () =>
  inTemporary(async (dir) => {
    const row = (k: number) => `{"id":"r${k}","prompt":"Q","response":"a"}`;
    await Deno.writeTextFile(`${dir}/a.jsonl`, [0, 1, 2, 3].map(row).join("\n"));
    await Deno.writeTextFile(`${dir}/b.jsonl`, [4, 5].map(row).join("\n"));
    const paths = [`${dir}/a.jsonl`, `${dir}/b.jsonl`];
    const idsFor = async (weights: readonly number[]) =>
      (await readDemonstrations(paths, {}, weights)).rows.map(({ id }) => id);
    assertEquals(await idsFor([]), ["r0", "r1", "r2", "r3", "r4", "r5"]);
    assertEquals(await idsFor([0.5, 2.5]), ["r1", "r3", "r4", "r5", "r4#2", "r5#2", "r5#3"]);
    const error = await assertRejects(() => idsFor([1]), UsageError);
    assertEquals(error.message, "weights must have one number for each of the 2 paths, got 1");
  }));

Deno.test("a format is recognised by the first bytes if the name has no known ending", () =>
  inTemporary(async (dir) => {
    for (
      const name of ["rows.arrow", "rows.arrows", "rows.zstd.parquet", "prompt_response.jsonl", "alpaca.json"]
    ) {
      await Deno.copyFile(`${LAYOUTS}/${name}`, `${dir}/data`);
      assertEquals((await readDemonstrations([`${dir}/data`])).rows.length, 20);
    }
    await Deno.writeTextFile(`${dir}/data`, "hello");
    const error = await assertRejects(() => readDemonstrations([`${dir}/data`]), DataError);
    assertEquals(
      error.message,
      `${dir}/data must end with .jsonl, .ndjson, .json, .csv, .tsv, .parquet, .arrow, .arrows, ` +
        '.feather, .txt, or begin like one of these formats, got "hello" …',
    );
  }));

Deno.test("columns that match no layout are named", () =>
  inTemporary(async (dir) => {
    await Deno.writeTextFile(`${dir}/x.csv`, "foo,bar\n1,2\n");
    const error = await assertRejects(
      () => readDemonstrations([`${dir}/x.csv`]),
      DataError,
    );
    assertEquals(
      error.message,
      `${dir}/x.csv must have the columns messages, conversations, instruction and output, ` +
        "prompt and response (or completion), question and answer, or text (or name them with --layout, --prompt_field, " +
        '--response_field), got "foo", "bar"',
    );
  }));

Deno.test("prompt and completion may be lists of messages, as in TRL", () =>
  inTemporary(async (dir) => {
    const prompt = [{ role: "system", content: "Be brief." }, { role: "user", content: "Hi" }];
    const completion = [{ role: "assistant", content: "Hello" }];
    await Deno.writeTextFile(`${dir}/t.jsonl`, JSON.stringify({ prompt, completion }));
    const { rows } = await readDemonstrations([`${dir}/t.jsonl`]);
    assertEquals(rows[0]!.content, { kind: "chat", messages: [...prompt, ...completion] });
    const asked = await readUserPrompts(`${dir}/t.jsonl`);
    assertEquals(asked.rows[0]!.content, { kind: "chat", messages: prompt });
    assertEquals(asked.rows[0]!.meta, { completion });
  }));
