import { assertEquals } from "@std/assert";
import { linesOf } from "./lines_of.ts";

Deno.test("linesOf() joins lines and characters that are split between parts of a stream", async () => {
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
