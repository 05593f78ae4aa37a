/** Absurd amounts: counts, sizes, columns, aliases and rows are refused by name, or take little time and memory. @module */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { exitCodeOf, ManifestError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { readDataFile } from "@/lib/data/demonstrations/data_files.ts";
import { readDemonstrations } from "@/lib/data/demonstrations/user_rows.ts";
import { modelFromConfig } from "@/lib/model/models/config.ts";
import { dryRun, dryRunText } from "@/lib/pipeline/engine/dry_run.ts";
import { parseManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { applySettings, parseSettings } from "@/lib/pipeline/engine/settings.ts";
import { unroll } from "@/lib/pipeline/engine/unroll.ts";
import { axisOf } from "@/lib/report/axis_ticks.ts";
import { params as rolloutParams } from "@/stages/rollout/params.ts";
import { stage as tokenize } from "@/stages/tokenize/main.ts";
import { toyCode, ToyProject, toyStages } from "@/tests/pipeline/toy.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { finish } from "@/tests/support/launch.ts";
import type { Attack } from "./attack.ts";

const block = (head: string) => `stages:\n  a:\n    ${head}\n    stages: { b: { uses: write-text } }\n`;

function refused(text: string, message: RegExp): void {
  const error = assertThrows(() => parseManifest(text, "m.yaml"), ManifestError);
  assert(message.test(error.message), error.message);
  assert(/m\.yaml:\d+:\d+/.test(error.message), error.message);
  assertEquals(exitCodeOf(error), 64);
}

const config = (fields: Readonly<Record<string, unknown>>) => () =>
  modelFromConfig({
    ...{ model_type: "llama", vocab_size: 10, hidden_size: 8, intermediate_size: 8 },
    ...{ num_hidden_layers: 1, num_attention_heads: 2, ...fields },
  });

/** A loop that its metric ends after two iterations. */
const longLoop = (count: number) => `
inputs: { base: base }
stages:
  loop:
    iterate:
      count: ${count}
      carry: { model: inputs.base, state: null }
      until: { metric: count.metrics.stopped, above: 0 }
    stages:
      count: { uses: count-iterations, in: { model: carry.model, state: carry.state }, with: { add: 2, limit: 5 } }
    next: { model: count.model, state: count.state }
  metrics: { uses: join-text, in: { texts: loop.metrics } }
outputs: { model: loop.model }
`;

const manyCopies = (count: number) => `
inputs: { first: first.txt }
stages:
  copies:
    foreach: { count: ${count} }
    stages:
      write: { uses: write-text, in: { text: inputs.first }, seed: copy }
  all: { uses: join-text, in: { texts: copies.write.text } }
outputs: { text: all.text }
`;

/** Stages that read rows, and the number of rows: what two busy cores compute in two minutes. */
const MANY_ROWS = [
  ["tokenize", 1_000_000],
  ["sft", 200_000],
  ["rollout", 200_000],
  ["score", 200_000],
  ["ppo-update", 200_000],
  ["eval", 20_000],
  ["build-reward", 20_000],
] as const;

/** The attacks. */
export const attacks: readonly Attack[] = [
  {
    name: "foreach and iterate with a count of 1e9 are refused with their place",
    run() {
      refused(
        block("foreach: { count: 1000000000 }"),
        /m\.yaml:3:\d+: "count" must be ≤ 100000, got 1000000000/,
      );
      refused(block("iterate: { count: 1000000001 }"), /"count" must be ≤ 1000000, got 1000000001/);
      const { manifest } = parseManifest(block("foreach: { count: 1 }"), "m.yaml");
      const error = assertThrows(() => applySettings(manifest, parseSettings(["a.count=1e9"])), UsageError);
      assert(error.message.includes("count must be at most 100000, got 1000000000"), error.message);
    },
  },
  {
    name: "a million iterations are unrolled a part at a time",
    async run() {
      let open = 0, most = 0;
      await unroll(1_000_000, () => {
        most = Math.max(most, ++open);
        return [Promise.resolve().then(() => open--)];
      });
      assert(most <= 256, `${most}`);
    },
  },
  {
    name: "a loop of a million iterations that ends after two runs without unrolling the others",
    async run() {
      using project = new ToyProject();
      const result = await project.run({ manifest: longLoop(1_000_000) });
      assertEquals(result.nodes.length, 3);
      const blueprint = await project.blueprint({ manifest: longLoop(1_000_000) });
      const most = 10, directories = { runDir: project.file("other"), storeDir: project.file("other/store") };
      const nodes = await dryRun(blueprint, { stages: toyStages, code: toyCode, ...directories, most });
      assertEquals(nodes.filter(({ runs }) => runs).length, most);
    },
  },
  {
    name: "a dry run lists a million iterations and 100,000 copies",
    slow: true,
    async run() {
      using project = new ToyProject();
      for (
        const [manifest, count] of [[longLoop(1_000_000), 1_000_001], [manyCopies(100_000), 100_001]] as const
      ) {
        const blueprint = await project.blueprint({ manifest });
        const directories = { runDir: project.file("run"), storeDir: project.file("run/store") };
        const nodes = await dryRun(blueprint, { stages: toyStages, code: toyCode, ...directories });
        assertEquals(nodes.length, count);
        assert(dryRunText(nodes).endsWith(`${count} stages to run, 0 cached\n`));
      }
    },
  },
  {
    name: "samples_per_prompt of 1e8 is refused",
    run: () => assertEquals(rolloutParams.safeParse({ samples_per_prompt: 1e8 }).success, false),
  },
  {
    name: "absurd sizes in config.json are refused by name before anything is allocated",
    run() {
      const sizes = {
        hidden_size: 1e9,
        num_hidden_layers: 1e9,
        vocab_size: 1e12,
        intermediate_size: 2 ** 40,
        num_attention_heads: 2 ** 31,
        head_dim: 1e15,
      };
      for (const [name, size] of Object.entries(sizes)) {
        const error = assertThrows(config({ [name]: size }), Error, `${name} must be at most`);
        assertEquals(exitCodeOf(error), 65);
      }
      assertThrows(config({ hidden_size: 2 ** 24, vocab_size: 2 ** 24 }), Error, "elements, got");
    },
  },
  {
    name: "a CSV file with 300,000 columns is refused by the number of its fields",
    async run(directory) {
      const names = Array.from({ length: 300_000 }, (_, k) => `c${k}`).join();
      directory.write("wide.csv", `${names}\n${names}\n`);
      const error = await assertRejects(
        () => readDataFile(directory.file("wide.csv")),
        Error,
        "at most 10000 fields",
      );
      assertEquals(exitCodeOf(error), 65);
    },
  },
  {
    name:
      "YAML with aliases of aliases, an alias within its own value, or deep nesting is refused with its place",
    run() {
      const levels = [..."bcdefgh"].map((name, k) =>
        `${name}: &${name} [${Array(9).fill(`*${"abcdefg"[k]}`)}]\n`
      );
      refused(`a: &a [${Array(9).fill("x")}]\n${levels.join("")}`, /aliases must not expand/);
      refused("stages:\n  e: { uses: eval, with: &w { checker: { a: *w } } }\n", /nested at most 100 deep/);
      refused("stages: &s\n  <<: *s\n", /aliases/);
      refused(`stages: ${"[".repeat(5000)}${"]".repeat(5000)}`, /nested at most 100 deep/);
      assertThrows(() => parseSettings(["sft.epochs=&a [*a]"]), UsageError, "nested at most 100 deep");
    },
  },
  {
    name: "a manifest of 10 MB is refused by its size",
    run: () => refused(`stages:\n${"  # x\n".repeat(2_000_000)}`, /at most 262144 bytes, got 12000008/),
  },
  {
    name: "an axis over a million values, which are too many arguments for Math.max",
    run: () => assertEquals(axisOf(Array.from({ length: 1_000_000 }, (_, i) => i)).low, 0),
  },
  {
    name: "320,000 texts in JSON Lines are read as rows",
    slow: true,
    async run(directory) {
      directory.write(
        "rows.jsonl",
        Array.from({ length: 320_000 }, (_, i) => `{"text":"t ${i}"}\n`).join(""),
      );
      assertEquals((await readDemonstrations([directory.file("rows.jsonl")])).rows.length, 320_000);
    },
  },
  {
    name: "tokenize encodes 320,000 texts in JSON Lines",
    slow: true,
    async run(directory) {
      directory.write(
        "rows.jsonl",
        Array.from({ length: 320_000 }, (_, i) => `{"text":"t ${i}"}\n`).join(""),
      );
      const inputs = {
        model: `${projectRoot}/fixtures/stories260k`,
        demonstrations: directory.file("rows.jsonl"),
      };
      const { train } = await runStage(tokenize, directory.path, { inputs });
      assert(Deno.statSync(train!).size > 1e6);
    },
  },
  // In a process each, with the memory that it prints; deno task test:attack rows runs them.
  ...MANY_ROWS.map(([stage, rows]): Attack => ({
    name: `${stage} takes ${rows} short rows`,
    slow: true,
    async run(directory) {
      const program = `${projectRoot}/tests/attack/many_rows_program.ts`;
      const { code, out, err } = await finish(
        new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--no-check", program, stage, String(rows), directory.file("rows")],
          cwd: projectRoot,
          stdin: "null",
          stdout: "piped",
          stderr: "piped",
        }).spawn(),
      );
      assertEquals([code, err], [0, ""]);
      console.log(out.trim());
    },
  })),
];
