/**
 * Tests that docs/contracts.md lists the columns of the files: writes a row of every contract and compares the schema
 * that apache-arrow reads with the page.
 * @module
 */
import { assertEquals } from "@std/assert";
import { type Field, tableFromIPC } from "apache-arrow";
import { writeCurves } from "@/lib/data/contracts/curves.ts";
import { writeDifferences } from "@/lib/data/contracts/differences.ts";
import { writeEvals } from "@/lib/data/contracts/evals.ts";
import { writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { writePairs } from "@/lib/data/contracts/pairs.ts";
import { writePrompts } from "@/lib/data/contracts/prompts.ts";
import { writeResults } from "@/lib/data/contracts/results.ts";
import { RewardSchema } from "@/lib/data/contracts/reward_directory.ts";
import { type RolloutRow, writeRollouts } from "@/lib/data/contracts/rollouts.ts";
import { writeSamples } from "@/lib/data/contracts/samples.ts";
import { writeScored } from "@/lib/data/contracts/scored.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { TrainerStateSchema } from "@/lib/data/contracts/trainer_state.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { projectText } from "./generated.ts";
import { namesUnder, tablesOf } from "./markdown.ts";

const tokenizerDigest = "0".repeat(64);
const ids = Int32Array.of(1), nats = Float32Array.of(-1);
const rollout: RolloutRow = {
  id: "0/p/0",
  promptId: "p",
  sample: 0,
  promptIds: ids,
  responseIds: ids,
  logprobs: nats,
  logprobsT1: null,
  finishReason: "eos",
  meta: "{}",
};
const scored = {
  ...rollout,
  sftLogprobs: nats,
  targetLogprobs: nats,
  baseLogprobs: nats,
  tokenRewards: nats,
  rawReward: 0,
  reward: 0,
  baseNll: null,
  normalisedRewards: nats,
  temperature: 1,
  sftLogprobsTempered: nats,
  baseLogprobsTempered: nats,
};

/** Writers of one row of each contract. */
const WRITERS: Readonly<Record<string, (path: string) => Promise<void>>> = {
  "tokens@1": (path) =>
    writeTokens(path, {
      rows: [{ id: "d", inputIds: ids, lossMask: Uint8Array.of(1), source: "s" }],
      tokenizerDigest,
    }),
  "prompts@1": (path) =>
    writePrompts(path, { rows: [{ id: "p", promptIds: ids, meta: "{}" }], tokenizerDigest }),
  "rollouts@1": (path) => writeRollouts(path, { rows: [rollout], tokenizerDigest }),
  "scored@1": (path) => writeScored(path, { rows: [scored], tokenizerDigest }),
  "pairs@1": (path) =>
    writePairs(path, { rows: [{ promptIds: ids, chosenIds: ids, rejectedIds: ids }], tokenizerDigest }),
  "evals@1": (path) =>
    writeEvals(path, [{ model: "m", mode: "greedy", metric: "x", mean: 0, stderr: 0, n: 1 }]),
  "differences@1": (path) => {
    const names = { model: "m", against: "o", mode: "greedy", metric: "x" } as const;
    return writeDifferences(path, [{ ...names, mean: 0, low: -1, high: 1, n: 2, method: "paired" }]);
  },
  "metrics@1": (path) => writeMetrics(path, [{ step: 0, name: "x", value: 0 }]),
  "samples@1": (path) =>
    writeSamples(path, [{
      model: "m",
      mode: "greedy",
      promptId: "p",
      prompt: "a",
      response: "b",
      finishReason: "eos",
      scores: "{}",
    }]),
  "results@1": (path) =>
    writeResults(path, [{
      experiment: "e",
      arm: "a",
      point: "{}",
      seed: 0,
      model: "m",
      mode: "greedy",
      metric: "x",
      mean: 0,
      stderr: 0,
      n: 1,
    }]),
  "curves@2": (path) =>
    writeCurves(path, [{
      experiment: "e",
      arm: "a",
      point: "{}",
      seed: 0,
      block: "ppo",
      iteration: 0,
      metric: "x",
      value: 0,
    }]),
};

const TYPES: Readonly<Record<string, string>> = {
  Utf8: "utf8",
  Int32: "i32",
  Int64: "i64",
  Float64: "f64",
  "List<Int32>": "list<i32>",
  "List<Uint8>": "list<u8>",
  "List<Float32>": "list<f32>",
};

/** Returns `name type` of a column as on the page. */
function columnOf({ name, type, nullable }: Field): string {
  return `${name} ${TYPES[String(type)] ?? String(type)}${nullable ? "?" : ""}`;
}

/** Returns the section of the page under a heading, up to the next heading. */
function sectionOf(page: string, heading: string): string {
  const [, section = ""] = page.split(new RegExp(`^#+ ${heading}$`, "m"));
  return section.split(/^#+ /m)[0]!;
}

/** Returns `name type` of the columns that the page lists for a contract. */
function describedColumns(page: string, contract: string): string[] {
  const own = tablesOf(sectionOf(page, contract)).filter(({ headings }) => headings[0] === "column");
  return own.flatMap(({ rows }) => rows).map(([name = "", type = ""]) =>
    `${name} ${type}`.replaceAll("`", "")
  );
}

Deno.test("contracts.md shows the columns, types and nulls that files of every contract have", async () => {
  using directory = new TemporaryDirectory();
  const page = projectText("docs/contracts.md");
  for (const [contract, write] of Object.entries(WRITERS)) {
    const path = directory.file(`${contract}.arrow`);
    await write(path);
    const { fields } = tableFromIPC(Deno.readFileSync(path)).schema;
    const described = describedColumns(page, contract);
    const all = contract === "scored@1" ? [...describedColumns(page, "rollouts@1"), ...described] : described;
    assertEquals(all, fields.map(columnOf), contract);
  }
});

Deno.test("contracts.md has a section for every contract of a port, and no other", () => {
  const page = projectText("docs/contracts.md");
  const sections = [...page.matchAll(/^### ([\w-]+@\d+)$/gm)].map(([, name]) => name!);
  assertEquals(sections.sort(), Object.keys(WRITERS).sort());
});

Deno.test("contracts.md shows the keys of reward.json and trainer_state.json", () => {
  const page = projectText("docs/contracts.md");
  assertEquals(namesUnder(sectionOf(page, "reward"), "key"), Object.keys(RewardSchema.shape));
  assertEquals(namesUnder(sectionOf(page, "state"), "key"), Object.keys(TrainerStateSchema.shape));
});
