/** User modules in requests: only with --allow-modules. @module */
import { assertEquals } from "@std/assert";
import type { Executor } from "@/lib/pipeline/engine/task.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { openDataRoot } from "./data_root.ts";
import { stages } from "./registry.ts";
import { createServer } from "./server.ts";

Deno.test("POST /stages/<id> refuses user modules unless the server was started with --allow-modules", async () => {
  using directory = new TemporaryDirectory();
  directory.write("check.ts", "export const check = () => ({ score: 1 });");
  const started: unknown[] = [];
  const executor: Executor = {
    name: "process",
    parallel: true,
    sharesMemory: false,
    run: ({ params, inputs }) =>
      Promise.resolve(void started.push(params.checker, inputs.checker !== undefined)),
  };
  const post = async (id: string, inputs: unknown, checker: string, allowModules?: boolean) => {
    const server = createServer({
      root: openDataRoot(directory.path),
      stages,
      executor,
      threads: 1,
      cores: 1,
      ...(allowModules !== undefined && { allowModules }),
    });
    const body = JSON.stringify({
      params: { checker },
      inputs,
      outputs: { evals: "evals", differences: "differences", samples: "samples" },
    });
    const headers = { Host: "localhost", "Content-Type": "application/json" };
    const address = `http://server/stages/${id}`;
    const response = await server.fetch(new Request(address, { method: "POST", headers, body }));
    return { status: response.status, text: await response.text() };
  };
  const place = "check.ts", given = { models: { sft: place }, prompts: place };
  const why = "user modules are not allowed (see --allow-modules of the server)";
  const refused = (what: string) => ({
    status: 400,
    text: JSON.stringify({
      error: { message: `Invalid request for eval: ${what}: ${why}`, exit_code: 64 },
    }),
  });
  assertEquals(await post("eval", { ...given, checker: place }, ""), refused("inputs.checker"));
  assertEquals(await post("eval", given, "check.ts"), refused("params.checker"));
  assertEquals(await post("eval", given, "/etc/x.mjs", false), refused("params.checker"));
  const external = await post("score", { external: place }, "");
  assertEquals([external.status, external.text.includes(`inputs.external: ${why}`)], [400, true]);
  assertEquals(started, []);
  assertEquals((await post("eval", { ...given, checker: place }, "", true)).status, 200);
  assertEquals((await post("eval", given, "words")).status, 200);
  assertEquals(started, ["", true, "words", false]);
});
