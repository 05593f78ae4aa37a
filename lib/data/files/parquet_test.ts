/** Parquet files that pyarrow wrote, whole and damaged. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { readParquet } from "./parquet.ts";

const LAYOUTS = "fixtures/goldens/layouts";

Deno.test("Snappy and Zstandard give the same rows, in groups or not", async () => {
  const [snappy, zstd] = await Promise.all(
    ["snappy", "zstd"].map((codec) => readParquet(`${LAYOUTS}/rows.${codec}.parquet`)),
  );
  assertEquals(snappy!.length, 20);
  assertEquals(zstd, snappy);
  assertEquals(snappy![0], {
    line: 1,
    value: { prompt: "Name the capital of Portugal.", response: "Lisbon.", score: null },
  });
});

Deno.test("a damaged file is refused or read, but never breaks anything", async () => {
  const path = await Deno.makeTempFile({ suffix: ".parquet" });
  try {
    const whole = await Deno.readFile(`${LAYOUTS}/messages.zstd.parquet`);
    let refused = 0;
    for (let k = 0; k < 60; k++) {
      const bytes = whole.slice();
      for (let i = 0; i < 4; i++) bytes[(k * 7919 + i * 104729) % bytes.length]! ^= 1 << (k + i) % 8;
      await Deno.writeFile(path, bytes);
      try {
        assert((await readParquet(path)).length > 0);
      } catch (error) {
        assert(error instanceof DataError, String(error));
        assert(
          error.message.startsWith(`${path}: invalid Parquet file: `),
          error.message,
        );
        refused++;
      }
    }
    assert(refused > 20, `${refused} refused`);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a file that is not Parquet is refused by its first bytes", async () => {
  const error = await assertRejects(() => readParquet(`${LAYOUTS}/qa.csv`), DataError);
  assertEquals(error.message, `${LAYOUTS}/qa.csv: invalid Parquet file: does not begin with PAR1`);
});
