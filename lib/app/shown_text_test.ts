import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "./project_root.ts";
import { shownText } from "./shown_text.ts";

Deno.test("shownText() shows paths relative to the data root and the project, and no other place", () => {
  const cases = [
    ["/data/in/a.jsonl:3: bad row", "in/a.jsonl:3: bad row"],
    ['got "/data"', 'got "."'],
    ["/data/x/.out.txt.0123abcd.partial/outputs/out.txt/part", "x/out.txt/part"],
    [`at ${join(projectRoot, "lib/app/server.ts")}:1:2`, "at lib/app/server.ts:1:2"],
    [`at file://${projectRoot}/lib/a.ts:1`, "at lib/a.ts:1"],
    ["no such file (/usr/lib/x y/libm.so)", "no such file (…/x y/libm.so)"],
    ["/proc/cpuinfo and 1/2 or a/b/c", "…/cpuinfo and 1/2 or a/b/c"],
    ["http://user:word@judge.example/score/v1", "http://judge.example/score/v1"],
    ["the token is long-secret-token", "the token is [secret]"],
  ];
  for (const [text, shown] of cases) {
    assertEquals(shownText(text!, { path: "/data" }, ["long-secret-token", "the"]), shown!);
  }
});
