import { assert, assertEquals } from "@std/assert";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { benchTokenize, writeDemonstrations } from "./tokenize_case.ts";

Deno.test("tokenize runs in a separate process, whose time is measured", async () => {
  const { rows, tokens, seconds, tokens_per_second: speed } = await benchTokenize(30, 2);
  assertEquals(rows, 30);
  assert(tokens > 30 * 50 && tokens < 30 * 100, `${tokens} tokens`);
  assert(seconds.min > 0 && seconds.min <= seconds.median && seconds.median <= seconds.max);
  assertEquals(speed, Math.round(tokens / seconds.median));
});

Deno.test("no two demonstrations are equal, however many are written", () => {
  using dir = new TemporaryDirectory();
  const path = dir.file("demonstrations.jsonl");
  writeDemonstrations(path, 2500);
  const rows = Deno.readTextFileSync(path).trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(new Set(rows.map(({ prompt }) => prompt)).size, 2500);
  assertEquals(rows[2042].response, rows[42].response);
});
