import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DataError, exitCodeOf, UsageError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { readGoldenFlags, runGoldens } from "./golden_command.ts";

const TOPIC = "fixtures/goldens/ppo/srppo_reward.json";

/** Exit code and lines of a run; the colours are off. */
async function run(paths: readonly string[], flags: { verbose?: boolean; json?: boolean } = {}) {
  const lines: string[] = [], errors: string[] = [];
  const code = await runGoldens({ paths, verbose: false, json: false, ...flags }, {
    print: (line) => lines.push(line),
    printError: (line) => errors.push(line),
    colors: false,
  });
  return { code, lines, errors };
}

Deno.test("the command line is checked as a whole", () => {
  assertEquals(readGoldenFlags(["a", "--json", "b"]), {
    paths: ["a", "b"],
    verbose: false,
    json: true,
    device: "cpu",
    strict: false,
  });
  const unknown = assertThrows(
    () => readGoldenFlags(["a", "--quiet", "--bar", "3"]),
    UsageError,
    "Invalid flags (see --help): unknown flag --quiet, known are --json, --strict, --device, --help, --verbose; " +
      "unknown flag --bar, known are --json, --strict, --device, --help, --verbose",
  );
  assertEquals(exitCodeOf(unknown), 64);
  assertThrows(
    () => readGoldenFlags(["--json"]),
    UsageError,
    "Invalid flags (see --help): at least one DIR is required",
  );
});

Deno.test("a run prints a line per check and the counts, and ends with 0", async () => {
  const { code, lines } = await run([TOPIC]);
  assertEquals(code, 0);
  const checks = lines.length - 1;
  assertEquals(lines.at(-1), `${checks} checks of 1 golden: ${checks} ok, 0 failed`);
  for (const line of lines.slice(0, -1)) {
    {
      const [name, , , bar, verdict] = line.split(/ {2,}/);
      assertEquals([name, bar, verdict], ["ppo/srppo_reward", "tolerance 1e-5", "ok"], line);
    }
  }
});

Deno.test("a check that fails names its place, and the run ends with 1", async () => {
  using directory = new TemporaryDirectory();
  const json = JSON.parse(Deno.readTextFileSync("fixtures/goldens/ppo/adamw.json"));
  json.cases = [{
    ...json.cases[0],
    norms: json.cases[0].norms.map((n: number, i: number) => i === 2 ? n * 2 : n),
  }];
  Deno.mkdirSync(directory.file("t"));
  const { code, lines } = await run([directory.write("t/adamw.json", JSON.stringify(json))]);
  assertEquals(code, 1);
  assertEquals(lines[0]!.split(/ {2,}/), [
    "t/adamw",
    "gradient norms",
    "5e-1",
    "tolerance 1e-5",
    "FAIL",
    "case 0, step 2",
  ]);
  assertEquals(lines.at(-1), "3 checks of 1 golden: 2 ok, 1 failed");
});

Deno.test("a golden that cannot be checked is a failed line with the reason", async () => {
  using directory = new TemporaryDirectory();
  Deno.mkdirSync(directory.file("t"));
  Deno.mkdirSync(directory.file("t/other"));
  Deno.mkdirSync(directory.file("t/gpt2"));
  directory.write("t/gpt2/golden.safetensors", "");
  const config = directory.write("t/gpt2/config.json", '{ "model_type": "gpt9" }');
  const { code, lines } = await run([directory.file("t")]);
  assertEquals(code, 1);
  assertEquals(lines.map((line) => line.split(/ {2,}/)), [
    ["t/gpt2", "family", "–", "tolerance 0", "FAIL", lines[0]!.split(/ {2,}/)[5]!],
    [
      "t/other",
      "unknown",
      "–",
      "tolerance 0",
      "FAIL",
      `${
        directory.file("t/other")
      } must be a golden of kind lora, family, srppo, chat_template, tokenizer, layouts, corrupt, benchmark, ppo, got an unknown one`,
    ],
    ["2 checks of 2 goldens: 0 ok, 2 failed"],
  ]);
  const reason = lines[0]!.split(/ {2,}/)[5]!;
  assertEquals(reason.startsWith(`${config}: model_type must be one of `), true, reason);
  assertEquals(reason.endsWith(`, got "gpt9"`), true, reason);
});

Deno.test("--verbose shows every place, and the stack of an error", async () => {
  const { lines } = await run(["fixtures/goldens/ppo/adamw.json"], { verbose: true });
  assertEquals(lines[0]!.split("\n").length, 1 + 3 * 8);
  using directory = new TemporaryDirectory();
  const { errors } = await run([directory.write("gae.json", '{ "topic": "kl", "cases": [] }')], {
    verbose: true,
  });
  assertEquals(errors.length, 1);
  assertEquals(errors[0]!.includes("golden_case.ts"), true);
});

Deno.test("--json prints one object per check and the counts", async () => {
  const objects = (await run([TOPIC], { json: true })).lines.map((line) => JSON.parse(line));
  const { largest_error, check, ...first } = objects[0];
  assertEquals(first, {
    golden: "ppo/srppo_reward",
    kind: "ppo",
    path: TOPIC,
    measure: "relative",
    bar: 1e-5,
    ok: true,
    worst: "",
  });
  assertEquals(largest_error >= 0 && largest_error < 1e-9 && check.length > 0, true);
  assertEquals(objects.at(-1), { goldens: 1, checks: objects.length - 1, failed: 0 });
});

Deno.test("one wrong path ends the command before anything is checked", async () => {
  const lines: string[] = [];
  const output = { print: (line: string) => lines.push(line), printError: () => {}, colors: false };
  const flags = { paths: [TOPIC, "fixtures/nowhere"], verbose: false, json: false };
  const error = await assertRejects(
    () => runGoldens(flags, output),
    DataError,
    "fixtures/nowhere: no such file or directory",
  );
  assertEquals([lines.length, exitCodeOf(error)], [0, 65]);
});
