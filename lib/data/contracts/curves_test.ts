import { assertMatch, assertThrows } from "@std/assert";
import { encodeArrow } from "@/lib/data/arrow/encode_arrow.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { readCurves } from "./curves.ts";

Deno.test("readCurves() refuses a curves@1 file, whose column is called round, and names both contracts", () => {
  using directory = new TemporaryDirectory();
  const metadata = new Map([["srppo", '{"contract":"curves@1"}']]);
  const path = directory.write("curves.arrow", encodeArrow({ round: "i64" }, { round: [0] }, metadata));
  const { message } = assertThrows(() => readCurves(path), DataError);
  assertMatch(message, /curves@2.*curves@1/);
});
