import { assertEquals } from "@std/assert";
import plugin from "./rooms_plugin.ts";
import { GROUPS, ROOMS } from "./rooms.ts";

/** Returns the plugin's diagnostics for `source` in the file at `path`, as `rule: message`. */
function lint(path: string, source: string): string[] {
  const opened = `/** Opens. @module */

${source}`;
  return Deno.lint.runPlugin(plugin, path, opened).map(({ id, message }) =>
    `${id.replace("rooms/", "")}: ${message}`
  );
}

const CLEAN: readonly [path: string, source: string][] = [
  [
    "lib/model/rl/gae.ts",
    "Math.max(0, ...[a, b]); Math.max(a, b); call(...args); rows.push({ ...row }, [...more]);",
  ],
  ["lib/model/rl/gae_test.ts", "Math.max(...lengths);"],
  ["lib/model/rl/gae.ts", `import { ShapeError } from "@/lib/compute/tensor/errors.ts";`],
  ["lib/model/rl/gae.ts", `import { mean } from "./masked_mean.ts";`],
  ["lib/compute/autodiff/primitives/tanh.ts", `import type { Primitive } from "../primitive.ts";`],
  [
    "lib/data/arrow/table.ts",
    `import { tableToIPC } from "apache-arrow"; import { readFile } from "node:fs/promises";`,
  ],
  ["lib/data/text/tokenizer.ts", `export { Tokenizer } from "tokenizers";`],
  [
    "lib/app/registry.ts",
    "/** Loads. */ export const load = (id: string) => import(`@/stages/${id}/main.ts`);",
  ],
  [
    "lib/app/serve.ts",
    `import { streamSSE } from "hono/streaming"; import { parseArgs } from "@std/cli/parse-args";`,
  ],
  ["stages/score/main.ts", `import { z } from "zod"; import { run } from "@/lib/compute/ort/session.ts";`],
  [
    "lib/model/rl/gae_test.ts",
    `import fc from "fast-check"; import { run } from "@/lib/compute/ort/session.ts";`,
  ],
  [
    "lib/compute/onnx/model_test.ts",
    `import { close } from "@/tests/support/close.ts"; import { load } from "onnxruntime-node";`,
  ],
  [
    "tests/pipeline_test.ts",
    `import { stage } from "@/stages/score/main.ts"; import { close } from "./support/close.ts";`,
  ],
];

const REFUSED: readonly [path: string, source: string, ...said: string[]][] = [
  [
    "lib/model/rl/gae.ts",
    "Math.max(0, ...lengths);",
    "spread: A list of any length must not be spread into the arguments of max: use largest()",
  ],
  [
    "stages/score/main.ts",
    "rows.push(...more);",
    "spread: A list of any length must not be spread into the arguments of push: use append()",
  ],
  [
    "lib/model/rl/gae.ts",
    `import { run } from "@/lib/compute/ort/session.ts";`,
    "imports: lib/model/rl must not import lib/compute/ort: ROOMS allows lib/compute/tensor, lib/compute/autodiff",
  ],
  [
    "lib/compute/tensor/shape.ts",
    `export * from "@/lib/compute/random/philox.ts";`,
    "imports: lib/compute/tensor must not import lib/compute/random: ROOMS allows no other room",
  ],
  [
    "stages/score/main.ts",
    `import { serve } from "@/lib/app/server.ts";`,
    "imports: stages/score must not import lib/app: ROOMS allows any lib but app",
  ],
  [
    "stages/score/score.ts",
    `type R = import("@/stages/rollout/main.ts").Rollout;`,
    "imports: stages/score must not import stages/rollout: stages share code through lib only",
  ],
  [
    "stages/score/score_test.ts",
    `import "@/stages/rollout/main.ts";`,
    "imports: stages/score must not import stages/rollout: stages share code through lib only",
  ],
  [
    "lib/pipeline/engine/run.ts",
    `await import("@/stages/rollout/main.ts");`,
    "imports: lib/pipeline/engine must not import stages/rollout: stages share code through lib only",
  ],
  [
    "lib/app/stage.ts",
    `import { parseArgs } from "@/lib/std/cli/mod.ts";`,
    `imports: lib/std/cli must be imported as "@std/cli"`,
  ],
  [
    "lib/model/rl/gae.ts",
    `import { close } from "@/tests/support/close.ts";`,
    "imports: lib/model/rl must not import tests: only tests import tests",
  ],
  [
    "lib/data/files/reader.ts",
    `import manifest from "@/pipelines/quickstart.json" with { type: "json" };`,
    "imports: lib/data/files must not import pipelines: ROOMS allows lib/compute/tensor",
  ],
  [
    "lib/data/wandb/log.ts",
    `import "@/lib/model/rl/gae.ts";`,
    "imports: lib/data/wandb has no row in ROOMS of tests/lint/rooms.ts",
  ],
  [
    "lib/model/train/step.ts",
    `import { gae } from "../../compute/tensor/shape.ts";`,
    `paths: Another room must be imported as "@/lib/compute/tensor/shape.ts", got "../../compute/tensor/shape.ts"`,
  ],
  [
    "lib/model/train/step.ts",
    `import { Session } from "@/lib/compute/ort/session";`,
    `paths: Import path must end with the file's extension, got "@/lib/compute/ort/session"`,
  ],
  [
    "lib/data/arrow/table.ts",
    `import { Table } from "npm:apache-arrow@21.2.0/Arrow.js";`,
    `paths: Package must be imported without a version as "apache-arrow", got "npm:apache-arrow@21.2.0/Arrow.js"`,
  ],
  [
    "lib/app/serve.ts",
    `import { x } from "https://example.com/x.ts";`,
    `paths: Code must come from packages of the import map, got "https://example.com/x.ts"`,
  ],
  [
    "stages/score/score.ts",
    `import { tableFromIPC } from "apache-arrow";`,
    `owners: stages/score must not import "apache-arrow": its owners are lib/data/arrow`,
  ],
  [
    "lib/model/rl/gae.ts",
    `import fc from "fast-check";`,
    `owners: lib/model/rl must not import "fast-check": only tests may`,
  ],
  [
    "lib/app/serve.ts",
    `import express from "express";`,
    `owners: Package "express" requires an owner in OWNERS of tests/lint/rooms.ts`,
  ],
  [
    "lib/data/files/read.ts",
    "throw new DataError(`Cannot read ${path} as it must be a file: ${current}`);",
    `messages: Error message must not be "Cannot X as Y must Z": write what failed, what is required, and what was found after "got", got "Cannot read … as it must be a file: …"`,
  ],
  [
    "lib/data/files/read.ts",
    `export const e = (path: string) => new DataError("Cannot " + path + " as there is no such file");`,
    `docs: Export requires a docstring, got "export const e"`,
    `messages: Error message must not be "Cannot X as Y must Z": write what failed, what is required, and what was found after "got", got "Cannot … as there is no such file"`,
  ],
  [
    "lib/data/files/read.ts",
    "throw new DataError(`File not found: ${path}.`);",
    `messages: Error message must not end in a period, got "File not found: …."`,
  ],
  [
    "lib/data/files/read.ts",
    "throw new DataError(`lora_rank must be at most 64` + `: it is ${rank}`);",
    `messages: Error message must give the value found after "got" or "is", without a pronoun, got "lora_rank must be at most 64: it is …"`,
  ],
  [
    "lib/data/files/read.ts",
    "throw new DataError(`lora_rank must be at most 64: ${rank}`);",
    `messages: Error message must give the value found after "got" or "is", not after a colon, got "lora_rank must be at most 64: …"`,
  ],
  [
    "lib/model/rl/long.ts",
    `function long(): void {\n${"  step();\n".repeat(79)}}`,
    "functions: Function must have at most 80 lines, got 81 in long",
  ],
  [
    "lib/model/rl/utils.ts",
    "",
    `files: File name must say what the file contains, got "utils"`,
  ],
  [
    "lib/model/rl/policyLoss.ts",
    "",
    `files: File name must be snake_case, got "policyLoss"`,
  ],
  [
    "lib/model/rl/long.ts",
    "// one\n".repeat(399),
    "files: lib/model/rl/long.ts must have at most 400 lines, got 401",
  ],
];

for (const [path, source] of CLEAN) {
  Deno.test(`rooms plugin accepts ${source} in ${path}`, () => assertEquals(lint(path, source), []));
}

for (const [path, source, ...said] of REFUSED) {
  Deno.test(`rooms plugin refuses ${source.split("\n", 1)[0]} in ${path}`, () =>
    assertEquals(lint(path, source), said));
}

Deno.test("rooms plugin requires a paragraph at the head of a file", () => {
  assertEquals(
    Deno.lint.runPlugin(plugin, "lib/model/rl/gae.ts", "/** Doc. */ export const a = 1;").map((d) =>
      d.message
    ),
    [
      "lib/model/rl/gae.ts must begin with a /** … @module */ paragraph",
    ],
  );
});

Deno.test("rooms plugin accepts messages of the grammar, messages that it cannot read, and tests", () => {
  const unreadable =
    "throw new DataError(message); throw new DataError(`${path} is bad`); throw new DataError(`Cannot ${op} a` + b); " +
    "throw new UsageError(`lora_rank must be at most ${most}, got ${rank}`); throw new DataError(`Cannot parse ${path} as JSON`); " +
    "throw new DataError(`${path} must be valid JSON: ${reason}`); " +
    "throw signal.reason;";
  assertEquals(lint("lib/data/files/read.ts", unreadable), []);
  assertEquals(lint("lib/data/files/read_test.ts", `throw new Error("boom.");`), []);
});

Deno.test("rooms plugin accepts absolute names of files of this checkout", () => {
  const path = new URL("../../lib/model/rl/gae.ts", import.meta.url).pathname;
  assertEquals(lint(path, `import "@/lib/compute/ort/session.ts";`), [
    "imports: lib/model/rl must not import lib/compute/ort: ROOMS allows lib/compute/tensor, lib/compute/autodiff",
  ]);
});

Deno.test("rooms plugin accepts exactly 400 lines", () =>
  assertEquals(lint("lib/model/rl/long.ts", "// one\n".repeat(398)), []));

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

Deno.test("rooms import their own group and the groups that it may import, which have no cycle", () => {
  const groupOf = (name: string) => name.split("/")[0]!;
  const odd = Object.entries(ROOMS).flatMap(([room, allowed]) => {
    if (!room.startsWith("lib/") || "allBut" in allowed) return [];
    const group = groupOf(room.slice("lib/".length));
    return allowed.filter((name) => ![group, ...GROUPS[group]!].includes(groupOf(name)))
      .map((name) => `${room} → ${name}`);
  });
  assertEquals(odd, []);
  const above = (group: string): string[] => GROUPS[group]!.flatMap((below) => [below, ...above(below)]);
  assertEquals(Object.keys(GROUPS).filter((group) => above(group).includes(group)), []);
});
