import { assertEquals } from "@std/assert";
import { stageHosts, stageModules, stagePaths, withModules } from "./stage_arguments.ts";

Deno.test("stagePaths() reads inputs and writes beside outputs, relative to where the command is called", () => {
  assertEquals(
    stagePaths(
      ["--in.a", "x", "--in.b.key=/y", "--out.c", "out/c.arrow", "--scratch=s", "--lr", "1"],
      "/home",
    ),
    { read: ["/home/x", "/y"], write: ["/home/out", "/home/s"] },
  );
});

Deno.test("stageHosts() finds the hosts of parameters, however the flag is spelled, and of nothing else", () => {
  assertEquals(
    stageHosts([
      "--external_url",
      "http://a:1/x",
      "--other-url=https://b/?k=v",
      "--again_url=http://a:1/y",
      "--in.page_url=http://c",
      "--name",
      "http://d",
      "--empty_url=",
      "--last_url",
    ]),
    ["a:1", "b:443"],
  );
});

Deno.test("stageModules() finds user modules in inputs and parameters, and nothing else", () => {
  assertEquals(stageModules(["eval", "--in.checker", "check.ts", "--checker=words"]), ["inputs.checker"]);
  assertEquals(stageModules(["score", "--in.external=judge.txt"]), ["inputs.external"]);
  assertEquals(stageModules(["tokenize", "--checker", "a/check.mjs"]), ["params.checker"]);
  assertEquals(
    stageModules(["eval", "--in.prompts=check.ts", "--checker=regex", "--checker_pattern=a.ts"]),
    [],
  );
});

Deno.test("withModules() makes the paths of modules in parameters absolute", () => {
  assertEquals(
    withModules(["eval", "--checker", "a.ts", "--checker=b.js", "--in.checker=c.ts", "--name=d.ts"], "/home"),
    {
      args: ["eval", "--checker", "/home/a.ts", "--checker=/home/b.js", "--in.checker=c.ts", "--name=d.ts"],
      modules: ["/home/a.ts", "/home/b.js"],
    },
  );
});
