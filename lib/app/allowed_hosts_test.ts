/** Hosts that requests may name: only those that the server allows. @module */
import { assertEquals } from "@std/assert";
import { z } from "zod";
import { defineStage, type Stage } from "@/lib/data/contracts/stage.ts";
import type { Executor } from "@/lib/pipeline/engine/task.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { openDataRoot } from "./data_root.ts";
import { createServer } from "./server.ts";

/** A stage whose parameter names a host. */
const ask = defineStage({
  id: "ask",
  summary: "Asks",
  params: z.strictObject({ judge_url: z.string().default("").describe("endpoint") }),
  inputs: {},
  outputs: { said: { contract: "file", description: "the response", optional: true } },
  random: false,
  run: () => Promise.resolve(),
});

Deno.test("POST /stages/<id> refuses hosts that --allow-host does not name", async () => {
  using directory = new TemporaryDirectory();
  const started: unknown[] = [];
  const executor: Executor = {
    name: "process",
    parallel: true,
    sharesMemory: false,
    run: ({ params }) => Promise.resolve(void started.push(params.judge_url)),
  };
  const post = async (judge_url: string, allowedHosts?: readonly string[]) => {
    const server = createServer({
      root: openDataRoot(directory.path),
      stages: {
        list: () => Promise.resolve([ask.id]),
        load: () => Promise.resolve(ask as unknown as Stage),
      },
      executor,
      threads: 1,
      cores: 1,
      ...(allowedHosts && { allowedHosts }),
    });
    const body = JSON.stringify({ params: { judge_url }, outputs: { said: "said" } });
    const headers = { "Host": "localhost", "Content-Type": "application/json" };
    const request = new Request("http://server/stages/ask", { method: "POST", headers, body });
    const response = await server.fetch(request);
    return { status: response.status, text: await response.text() };
  };
  const refused = (host: string) => ({
    status: 400,
    text: JSON.stringify({
      error: {
        message: "Invalid request for ask: params.judge_url: " +
          `host ${host} is not allowed (see --allow-host of the server)`,
        exit_code: 64,
      },
    }),
  });
  const allowed = ["judge.example:81"];
  assertEquals(await post("http://169.254.169.254/latest"), refused("169.254.169.254:80"));
  assertEquals(await post("http://0x7f.1:81/", allowed), refused("127.0.0.1:81"));
  assertEquals(await post("https://judge.example/", allowed), refused("judge.example:443"));
  assertEquals(await post("http://judge.example:81@10.0.0.1/", allowed), refused("10.0.0.1:80"));
  assertEquals(started, []);
  for (const fine of ["", "http://Judge.Example:81/score?version=2"]) {
    assertEquals((await post(fine, allowed)).status, 200);
    assertEquals(started.pop(), fine);
  }
});
