import { assert, assertEquals, assertMatch } from "@std/assert";
import { benchServe, serveLines } from "./serve_case.ts";

Deno.test("the server's speed is measured in the same run as the offline generator's", async () => {
  const found = await benchServe({ shape: "quickstart", clients: 3, tokens: 4, threads: 1, rounds: 2 });
  for (const speeds of [found.offline, found.whole, found.streamed]) {
    assertEquals(speeds.length, 2);
    assert(speeds.every((speed) => speed > 0 && Number.isFinite(speed)));
  }
  assertMatch(serveLines(found), /server, streaming {3}[\d.]+, [\d.]+; of offline \d+\.\d+, \d+\.\d+$/);
});
