import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { z } from "zod";
import { defineStage } from "@/lib/data/contracts/stage.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { readStageFlags } from "./stage_flags.ts";
import { stageHelp } from "./stage_help.ts";

const STAGE = defineStage({
  id: "some-stage",
  summary: "Does something.",
  params: z.strictObject({
    lr: z.number().positive().default(1e-3).describe("learning rate").meta({ unit: "1", source: "a paper" }),
    kl_stop: z.number().nullable().default(null).describe("stop"),
    name: z.string().default("x").describe("name"),
    modes: z.array(z.enum(["greedy", "sampled"])).default(["greedy"]).describe("modes"),
    sizes: z.array(z.int()).default([]).describe("sizes"),
    whiten: z.boolean().default(true).describe("whiten"),
    epochs: z.int().min(1).max(9).describe("epochs"),
  }),
  inputs: {
    tokens: { contract: "tokens@1", description: "rows" },
    members: { contract: "model", description: "several", many: "list", optional: true },
    models: { contract: ["model", "reward"], description: "by name", many: "map", optional: true },
  },
  outputs: {
    policy: { contract: "model", description: "trained" },
    log: { contract: "report", description: "l", optional: true },
  },
  random: true,
  renamed: { kl_limit: "kl_stop" },
  run: () => Promise.resolve(),
});

const NEEDED = ["--in.tokens", "t", "--out.policy", "p", "--epochs", "2"];

Deno.test("readStageFlags() reads ports, lists, maps and parameters, with = or space, hyphen or underscore", () => {
  const flags = readStageFlags(STAGE, [
    ...NEEDED,
    "--in.members",
    "a",
    "--in.members=b",
    "--in.models.sft",
    "m",
    "--in.models.base=n",
    "--lr=1e-4",
    "--kl-stop",
    "-5",
    "--name",
    "12",
    "--modes",
    "greedy,sampled",
    "--sizes=[1,2]",
    "--no-whiten",
    "--seed",
    "7",
    "--iteration=3",
    "--threads=2",
  ]);
  assertEquals(flags, {
    help: false,
    verbose: false,
    params: {
      epochs: 2,
      lr: 1e-4,
      kl_stop: -5,
      name: "12",
      modes: ["greedy", "sampled"],
      sizes: [1, 2],
      whiten: false,
    },
    inputs: { tokens: "t", members: ["a", "b"], models: { sft: "m", base: "n" } },
    outputs: { policy: "p" },
    seed: 7,
    iteration: 3,
    threads: 2,
  });
  assertEquals(readStageFlags(STAGE, [...NEEDED, "--kl_stop", "null"]).params.kl_stop, null);
});

Deno.test("readStageFlags() lists all problems in one message", () => {
  const error = assertThrows(
    () =>
      readStageFlags(STAGE, [
        "--in.tokns",
        "t",
        "--in.models",
        "x",
        "--lr",
        "-1",
        "--epochs",
        "12",
        "--epoch=1",
        "word",
        "--seed=x",
        "--name",
      ]),
    UsageError,
  );
  assertEquals(
    error.message,
    'Invalid flags for some-stage (see --help): "word" is not a flag; --name requires a value; ' +
      'unknown flag --in.tokns, did you mean "in.tokens"?; --in.models must be --in.models.NAME PATH; ' +
      'unknown flag --epoch, did you mean "epochs"?; missing --in.tokens, --out.policy; --lr must be > 0, got -1; ' +
      "--epochs must be ≤ 9, got 12; --seed must be a whole number ≥ 0, got x",
  );
});

Deno.test("readStageFlags() names the new name of a renamed parameter", () => {
  const error = assertThrows(() => readStageFlags(STAGE, [...NEEDED, "--kl-limit=1"]), UsageError);
  assertEquals(
    error.message,
    "Invalid flags for some-stage (see --help): unknown flag --kl_limit: it is now --kl_stop",
  );
});

Deno.test("stageHelp() names ports, types, units, bounds, defaults and their sources", () => {
  const help = stageHelp(STAGE, "deno task stage some-stage");
  for (
    const line of [
      "Usage: deno task stage some-stage [flags]",
      "  --in.tokens PATH       tokens@1: rows",
      "  --in.members PATH …    model, optional: several",
      "  --in.models.NAME PATH  model or reward, optional: by name",
      "  --lr X                    learning rate (default 0.001, > 0; a paper)",
      "  --kl_stop X|null          stop (default null)",
      '  --modes greedy|sampled,…  modes (default ["greedy"])',
      "  --whiten [true|false]     whiten (default true)",
      "  --epochs N                epochs (required, ≥ 1, ≤ 9)",
    ]
  ) assertStringIncludes(help, line);
});
