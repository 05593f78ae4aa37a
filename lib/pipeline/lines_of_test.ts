import { assertEquals } from "@std/assert";
import { linesOf } from "./lines_of.ts";

Deno.test("linesOf() joins what parts of a stream cut, within a line and within a character", async () => {
  const bytes = new TextEncoder().encode("one\nzwölf\n\nlast");
  for (const size of [1, 2, 7, 100]) {
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
        controller.close();
      },
    });
    assertEquals(await Array.fromAsync(linesOf(stream)), ["one", "zwölf", "", "last"]);
  }
});
