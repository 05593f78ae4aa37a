import { assertEquals } from "@std/assert";
import plugin from "./rooms_plugin.ts";
import { ROOMS } from "./rooms.ts";

/** What the plugin says about `source` in the file at `path`, as `rule: message`. */
function lint(path: string, source: string): string[] {
  const opened = `/** Opens. @module */

${source}`;
  return Deno.lint.runPlugin(plugin, path, opened).map(({ id, message }) =>
    `${id.replace("rooms/", "")}: ${message}`
  );
}

const CLEAN: readonly [path: string, source: string][] = [
  ["lib/rl/gae.ts", `import { ShapeError } from "@/lib/tensor/errors.ts";`],
  ["lib/rl/gae.ts", `import { mean } from "./masked_mean.ts";`],
  ["lib/autodiff/primitives/tanh.ts", `import type { Primitive } from "../primitive.ts";`],
  [
    "lib/arrow/table.ts",
    `import { tableToIPC } from "apache-arrow"; import { readFile } from "node:fs/promises";`,
  ],
  ["lib/text/tokenizer.ts", `export { Tokenizer } from "tokenizers";`],
  [
    "lib/app/registry.ts",
    "/** Loads. */ export const load = (id: string) => import(`@/stages/${id}/main.ts`);",
  ],
  [
    "lib/app/serve.ts",
    `import { streamSSE } from "hono/streaming"; import { parseArgs } from "@std/cli/parse-args";`,
  ],
  ["stages/score/main.ts", `import { z } from "zod"; import { run } from "@/lib/ort/session.ts";`],
  ["lib/rl/gae_test.ts", `import fc from "fast-check"; import { run } from "@/lib/ort/session.ts";`],
  [
    "lib/onnx/model_test.ts",
    `import { close } from "@/tests/support/close.ts"; import { load } from "onnxruntime-node";`,
  ],
  [
    "tests/pipeline_test.ts",
    `import { stage } from "@/stages/score/main.ts"; import { close } from "./support/close.ts";`,
  ],
];

const REFUSED: readonly [path: string, source: string, ...said: string[]][] = [
  [
    "lib/rl/gae.ts",
    `import { run } from "@/lib/ort/session.ts";`,
    "imports: Cannot import lib/ort from lib/rl as it may import lib/tensor, lib/autodiff",
  ],
  [
    "lib/tensor/shape.ts",
    `export * from "@/lib/random/philox.ts";`,
    "imports: Cannot import lib/random from lib/tensor as it may import no other room",
  ],
  [
    "stages/score/main.ts",
    `import { serve } from "@/lib/app/server.ts";`,
    "imports: Cannot import lib/app from stages/score as it may import any lib but app",
  ],
  [
    "stages/score/score.ts",
    `type R = import("@/stages/rollout/main.ts").Rollout;`,
    "imports: Cannot import stages/rollout from stages/score as stages meet through files only: move what both need to a lib or a contract",
  ],
  [
    "stages/score/score_test.ts",
    `import "@/stages/rollout/main.ts";`,
    "imports: Cannot import stages/rollout from stages/score as stages meet through files only: move what both need to a lib or a contract",
  ],
  [
    "lib/pipeline/run.ts",
    `await import("@/stages/rollout/main.ts");`,
    "imports: Cannot import stages/rollout from lib/pipeline as stages meet through files only: move what both need to a lib or a contract",
  ],
  [
    "lib/app/stage.ts",
    `import { parseArgs } from "@/lib/std/cli/mod.ts";`,
    `imports: Cannot import lib/std/cli by its path as it stands in for a package: write "@std/cli"`,
  ],
  [
    "lib/rl/gae.ts",
    `import { close } from "@/tests/support/close.ts";`,
    "imports: Cannot import tests from lib/rl as only tests may",
  ],
  [
    "lib/files/reader.ts",
    `import manifest from "@/pipelines/quickstart.json" with { type: "json" };`,
    "imports: Cannot import pipelines from lib/files as it may import lib/tensor",
  ],
  [
    "lib/wandb/log.ts",
    `import "@/lib/rl/gae.ts";`,
    "imports: Cannot place lib/wandb as tests/lint/rooms.ts has no row for it",
  ],
  [
    "lib/train/step.ts",
    `import { gae } from "../tensor/shape.ts";`,
    `paths: Cannot import "../tensor/shape.ts" as relative paths stay inside a room: write "@/lib/tensor/shape.ts"`,
  ],
  [
    "lib/train/step.ts",
    `import { Session } from "@/lib/ort/session";`,
    `paths: Cannot import "@/lib/ort/session" as a path must name a file with its ending`,
  ],
  [
    "lib/arrow/table.ts",
    `import { Table } from "npm:apache-arrow@21.2.0/Arrow.js";`,
    `paths: Cannot import "npm:apache-arrow@21.2.0/Arrow.js" as versions stand in deno.json: write "apache-arrow"`,
  ],
  [
    "lib/app/serve.ts",
    `import { x } from "https://example.com/x.ts";`,
    `paths: Cannot import "https://example.com/x.ts" as code comes from packages of the import map only`,
  ],
  [
    "stages/score/score.ts",
    `import { tableFromIPC } from "apache-arrow";`,
    `owners: Cannot import "apache-arrow" from stages/score as it belongs to lib/arrow`,
  ],
  [
    "lib/rl/gae.ts",
    `import fc from "fast-check";`,
    `owners: Cannot import "fast-check" from lib/rl as only tests may`,
  ],
  [
    "lib/app/serve.ts",
    `import express from "express";`,
    `owners: Cannot import "express" from lib/app as every package needs an owner: name it in tests/lint/rooms.ts`,
  ],
  [
    "lib/files/read.ts",
    `throw new DataError("File not found");`,
    `messages: Cannot accept the message "File not found" as it must read "Cannot <verb> <object> as <requirement>: <current>"`,
  ],
  [
    "lib/files/read.ts",
    "throw new DataError(`Cannot read ${path} as it must exist: there is no such file.`);",
    `messages: Cannot accept the message that ends in "ere is no such file." as messages have no final period`,
  ],
  [
    "lib/files/read.ts",
    "throw new DataError(`Bad row ` + row);",
    `messages: Cannot accept the message "Bad row …" as it must read "Cannot <verb> <object> as <requirement>: <current>"`,
  ],
  [
    "lib/rl/utils.ts",
    "",
    `files: Cannot keep lib/rl/utils.ts as a name says what is inside: "utils" does not`,
  ],
  [
    "lib/rl/policyLoss.ts",
    "",
    `files: Cannot keep lib/rl/policyLoss.ts as file names are snake_case: "policyLoss"`,
  ],
  [
    "lib/rl/long.ts",
    "// one\n".repeat(399),
    "files: Cannot keep lib/rl/long.ts as files end at 400 lines: it has 401",
  ],
];

for (const [path, source] of CLEAN) {
  Deno.test(`rooms plugin accepts ${source} in ${path}`, () => assertEquals(lint(path, source), []));
}

for (const [path, source, ...said] of REFUSED) {
  Deno.test(`rooms plugin refuses ${source.split("\n", 1)[0]} in ${path}`, () =>
    assertEquals(lint(path, source), said));
}

Deno.test("rooms plugin wants a paragraph at the head of a file", () => {
  assertEquals(
    Deno.lint.runPlugin(plugin, "lib/rl/gae.ts", "/** Doc. */ export const a = 1;").map((d) => d.message),
    [
      "Cannot keep lib/rl/gae.ts as a file opens with a /** … @module */ paragraph",
    ],
  );
});

Deno.test("rooms plugin leaves alone messages that it cannot read, and tests", () => {
  const unreadable =
    "throw new DataError(message); throw new DataError(`${path} is bad`); throw new DataError(`Cannot ${op} a` + b); throw signal.reason;";
  assertEquals(lint("lib/files/read.ts", unreadable), []);
  assertEquals(lint("lib/files/read_test.ts", `throw new Error("boom.");`), []);
});

Deno.test("rooms plugin takes absolute names of files of this checkout", () => {
  const path = new URL("../../lib/rl/gae.ts", import.meta.url).pathname;
  assertEquals(lint(path, `import "@/lib/ort/session.ts";`), [
    "imports: Cannot import lib/ort from lib/rl as it may import lib/tensor, lib/autodiff",
  ]);
});

Deno.test("rooms plugin accepts exactly 400 lines", () =>
  assertEquals(lint("lib/rl/long.ts", "// one\n".repeat(398)), []));

Deno.test("the import table has no cycle between libs", () => {
  const done = new Set<string>();
  function visit(room: string, path: readonly string[]): void {
    if (path.includes(room)) throw new Error(`cycle: ${[...path, room].join(" → ")}`);
    const allowed = ROOMS[`lib/${room}`];
    if (done.has(room) || allowed === undefined || "allBut" in allowed) return;
    for (const next of allowed) visit(next, [...path, room]);
    done.add(room);
  }
  for (const key of Object.keys(ROOMS)) if (key.startsWith("lib/")) visit(key.slice("lib/".length), []);
});
