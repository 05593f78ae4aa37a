/** Strangers' Arrow files and streams, whole and damaged. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { decodeArrowRows } from "./decode_rows.ts";

const LAYOUTS = "fixtures/goldens/layouts";
const read = (name: string) => decodeArrowRows(Deno.readFileSync(`${LAYOUTS}/${name}`), name);

Deno.test("a file and a stream give the same rows, large and dictionary-encoded texts too", () => {
  const file = read("rows.arrow");
  assertEquals(read("rows.arrows"), file);
  for (const name of ["rows_large_dictionary.arrow", "rows_large_dictionary.arrows"]) {
    assertEquals(read(name).map(({ prompt, response }) => ({ prompt, response })), file);
  }
  assertEquals(read("rows_large_dictionary.arrow")[0]!.score, null);
});

for (const name of ["rows_large_dictionary.arrow", "messages.arrows"]) {
  Deno.test(`${name} with flipped bits is refused or read, but never breaks anything`, () => {
    const whole = Deno.readFileSync(`${LAYOUTS}/${name}`);
    let refused = 0;
    for (let k = 0; k < 150; k++) {
      const bytes = whole.slice();
      for (let i = 0; i < 3; i++) bytes[(k * 7919 + i * 104729) % bytes.length]! ^= 1 << (k + i) % 8;
      try {
        assert(decodeArrowRows(bytes, "x.arrow").length > 0);
      } catch (error) {
        assert(error instanceof DataError, String(error));
        assert(/^x\.arrow: (invalid Arrow file|column ".*): .+/s.test(error.message), error.message);
        refused++;
      }
    }
    assert(refused > 20, `${refused} refused`);
  });

  Deno.test(`${name} cut anywhere is refused, or a stream ends between two batches`, () => {
    const whole = Deno.readFileSync(`${LAYOUTS}/${name}`);
    const rows = decodeArrowRows(whole, name).length;
    for (let length = 0; length < whole.length - 8; length += 37) {
      try {
        assert(name.endsWith("s") && decodeArrowRows(whole.slice(0, length), "x").length <= rows);
      } catch (error) {
        assert(error instanceof DataError || !name.endsWith("s"), String(error));
      }
    }
    const error = assertThrows(() => decodeArrowRows(whole.slice(0, 40), "x"), DataError);
    assert(error.message.startsWith("x: invalid Arrow file: "), error.message);
  });
}

Deno.test("two columns of one name are refused", () => {
  const bytes = Deno.readFileSync(`${LAYOUTS}/rows.arrow`);
  const text = new TextDecoder("latin1").decode(bytes);
  // the name "response" becomes "prompt" in the schema's two copies: its length and its letters
  for (let at = text.indexOf("response"); at >= 0; at = text.indexOf("response", at + 1)) {
    if (new DataView(bytes.buffer).getUint32(at - 4, true) !== 8) continue;
    new DataView(bytes.buffer).setUint32(at - 4, 6, true);
    bytes.set(new TextEncoder().encode("prompt\0\0"), at);
  }
  const error = assertThrows(() => decodeArrowRows(bytes, "x.arrow"), DataError);
  assertEquals(
    error.message,
    'x.arrow: invalid Arrow file: several columns are named "prompt"',
  );
});
