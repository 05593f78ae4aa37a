/** Inputs that are no files, links to elsewhere, addresses in manifests, and control characters. @module */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { escapeControls } from "@/lib/compute/tensor/control_characters.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { decodeArrowRows } from "@/lib/data/arrow/decode_rows.ts";
import { digestFile } from "@/lib/data/files/digest.ts";
import { refuseOutsideLinks } from "@/lib/data/files/linked_files.ts";
import { readParquet } from "@/lib/data/files/parquet.ts";
import { openSafetensors } from "@/lib/data/files/safetensors.ts";
import { readText, readWholeFile } from "@/lib/data/files/whole_file.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { commandOf, finish, launch } from "@/tests/support/launch.ts";
import { symlink } from "@/tests/support/symlink.ts";
import type { Attack } from "./attack.ts";

const MANIFEST = `
inputs: { rollouts: r.arrow, reward: reward }
stages:
  score:
    uses: score
    in: { rollouts: inputs.rollouts, reward: inputs.reward }
    with: { external_url: "http://127.0.0.1:9/steal" }
outputs: { scored: score.scored }
`;

/** The attacks. */
export const attacks: readonly Attack[] = [
  {
    name: "a link to /dev/zero is refused instead of read without end",
    run(directory) {
      symlink("/dev/zero", directory.file("model.safetensors"));
      const path = directory.file("model.safetensors"), message = "must be a regular file, got a device";
      for (const read of [readWholeFile, readText, digestFile, openSafetensors]) {
        assertThrows(() => void read(path), DataError, message);
      }
    },
  },
  {
    name: "a file larger than its limit is refused before it is read",
    run(directory) {
      directory.write("big.json", "x".repeat(100));
      assertThrows(
        () => readText(directory.file("big.json"), 99),
        DataError,
        "must have at most 99 bytes, got 100",
      );
    },
  },
  {
    name:
      "links in a model directory that lead elsewhere are refused with their target, those of a hub cache are followed",
    run(directory) {
      directory.write("secret.txt", "s");
      for (const name of ["blobs", "snapshots/c"]) {
        Deno.mkdirSync(directory.file(`hub/models--a--b/${name}`), { recursive: true });
      }
      directory.write("hub/models--a--b/blobs/1", "{}");
      const model = directory.file("hub/models--a--b/snapshots/c");
      symlink("../../blobs/1", `${model}/config.json`);
      refuseOutsideLinks(model);
      symlink(model, directory.file("named"));
      refuseOutsideLinks(directory.file("named"));
      symlink(directory.file("secret.txt"), `${model}/tokenizer.json`);
      const error = assertThrows(() => refuseOutsideLinks(model), DataError);
      assert(error.message.includes("--follow-links") && error.message.includes("secret.txt"), error.message);
    },
  },
  {
    name: "an address in a manifest requires --allow-host",
    async run(directory) {
      directory.write("m.yaml", MANIFEST);
      directory.write("r.arrow", "");
      Deno.mkdirSync(directory.file("reward"));
      directory.write("reward/reward.json", "{}");
      const run = (...flags: readonly string[]) =>
        finish(
          launch([
            "pipeline",
            directory.file("m.yaml"),
            "--run-dir",
            directory.file("run"),
            "--dry-run",
            ...flags,
          ]),
        );
      const { code, err } = await run();
      const message =
        "An address in a manifest requires --allow-host HOST:PORT, got 127.0.0.1:9 for score.external_url\n";
      assertEquals([code, err], [64, message]);
      assertEquals((await run("--allow-host", "127.0.0.1:9")).err.includes("--allow-host"), false);
      assertEquals(
        (await run("--set", "score.external_url=http://127.0.0.1:8/")).err.includes("--allow-host"),
        false,
      );
    },
  },
  {
    name: "bidirectional controls and escape sequences are escaped in messages",
    run: () => assertEquals(escapeControls("\u202e\x1b]0;x\x07"), "\\u202e\\u001b]0;x\\u0007"),
  },
  {
    name: "a Parquet file with two damaged columns is refused and does not end the process",
    async run() {
      const path = `${projectRoot}/fixtures/fuzz/two_damaged_columns.parquet`;
      await assertRejects(() => readParquet(path), DataError);
      await new Promise((resolve) => setTimeout(resolve, 50));
    },
  },
  {
    name: "an Arrow file whose footer lists a dictionary as a batch is refused, instead of read without end",
    run() {
      const bytes = Deno.readFileSync(`${projectRoot}/fixtures/fuzz/dictionary_as_batch.arrow`);
      assertThrows(() => decodeArrowRows(bytes, "x.arrow"), DataError, "it is damaged");
    },
  },
  {
    name: "a tokenizer whose unknown token is not in the vocabulary is bad data",
    async run(directory) {
      Deno.copyFileSync(
        `${projectRoot}/fixtures/fuzz/unk_token_not_in_vocabulary.json`,
        directory.file("tokenizer.json"),
      );
      await assertRejects(
        () => loadTokenizer(directory.path).encodeAll(["ab a \u{1f600}"]),
        DataError,
        "cannot encode",
      );
    },
  },
  {
    name: "a tokenizer that replaces an empty pattern is refused, as the library would end the process",
    run(directory) {
      for (const pattern of [{ Regex: "" }, { String: "" }]) {
        const normalizer = { type: "Sequence", normalizers: [{ type: "Replace", pattern, content: "a" }] };
        const spec = JSON.parse(Deno.readTextFileSync(`${projectRoot}/fixtures/stories260k/tokenizer.json`));
        directory.write("tokenizer.json", JSON.stringify({ ...spec, normalizer }));
        assertThrows(() => loadTokenizer(directory.path), DataError, "got an empty one");
      }
    },
  },
  {
    name: "arguments that are not UTF-8 are refused by name",
    async run() {
      const { code, err } = await finish(launch(["pipeline", "--dry-run", "--run-dir", "runs/\uFFFD"]));
      assertEquals([code, err], [64, "Arguments and paths must be UTF-8, got runs/\uFFFD\n"]);
    },
  },
  {
    name:
      "named pipes in place of data, a manifest or files of a model are refused by name, and never opened",
    slow: true,
    async run(directory) {
      const model = directory.file("model"), tokenizer = `${projectRoot}/fixtures/stories260k`;
      const shell =
        `cp -r ${tokenizer} ${model} && rm ${model}/tokenizer.json && mkfifo ${model}/tokenizer.json ` +
        ["rows.jsonl", "rows.parquet", "rows.arrow", "m.yaml"].map(directory.file.bind(directory)).join(" ");
      assertEquals(new Deno.Command("bash", { args: ["-c", shell] }).outputSync().code, 0);
      const rows = `${projectRoot}/fixtures/quickstart/demos.jsonl`,
        outputs = ["train", "report"].flatMap((port) => [
          `--out.${port}`,
          directory.file(`${port}.out`),
        ]);
      const tokenize = (demonstrations: string, base: string) => [
        ...["stage", "tokenize", "--in.demonstrations", demonstrations, "--in.model", base, ...outputs],
      ];
      const cases = [
        ...["rows.jsonl", "rows.parquet", "rows.arrow"].map((name) =>
          [name, tokenize(directory.file(name), tokenizer), 65] as const
        ),
        ["tokenizer.json", tokenize(rows, model), 65],
        ["m.yaml", ["pipeline", directory.file("m.yaml")], 64],
        ["m.yaml", ["experiment", directory.file("m.yaml")], 64],
        ["rows.jsonl", [
          "pipeline",
          "--input",
          `demonstrations=${directory.file("rows.jsonl")}`,
          "--run-dir",
          model,
        ], 65],
      ] as const;
      for (const [name, args, expected] of cases) {
        const { code, err } = await finish(launch(args));
        assertEquals(code, expected, err);
        assert(err.endsWith(`${name} must be a regular file, got a device, pipe or socket\n`), err);
      }
    },
  },
  {
    name: "a working directory or a variable that is not UTF-8 is refused (64)",
    async run() {
      const command = ["pipeline", "stage", "experiment", "serve"].map((task) =>
        [task, commandOf([task])] as const
      );
      for (const [task, words] of command) {
        const run = `INIT_CWD=$'/tmp/d\\xffir' ${words.map((word) => `'${word}'`).join(" ")}`;
        const { code, stderr } = await new Deno.Command("bash", {
          args: ["-c", `${run} ${task === "serve" ? "--data" : ""} x`],
          cwd: projectRoot,
          stdin: "null",
        }).output();
        const text = new TextDecoder().decode(stderr);
        const expected = "The path of the working directory must be UTF-8, got other bytes\n";
        assertEquals([task, code, text], [task, 64, expected]);
      }
      const words = commandOf(["pipeline", "--dry-run"]).map((word) => `'${word}'`).join(" ");
      const { code, stderr } = await new Deno.Command("bash", {
        args: ["-c", `HF_ENDPOINT=$'\\xff' TZ=$'a\\xff' ${words}`],
        cwd: projectRoot,
      }).output();
      assertEquals([code, new TextDecoder().decode(stderr)], [
        64,
        "Environment variable TZ must be UTF-8, got other bytes\n",
      ]);
    },
  },
  {
    name:
      "a reader such as head that closes the output ends help, a dry run, a run and a list without a message",
    slow: true,
    async run(directory) {
      const short = ["--to", "sft", "--set", "sft.max_updates=1", "--run-dir", directory.file("run")];
      const commands = [
        ["pipeline", "--help"],
        ["pipeline", "--dry-run", "--set", "ppo.count=3000", "--run-dir", directory.file("none")],
        ["pipeline", ...short],
        ["pipeline", ...short, "--json", "--fresh"],
        ["stage"],
        ["experiment", "quickstart", "--dry-run", "--out", directory.file("e")],
      ];
      for (const args of commands) {
        const words = commandOf(args).map((word) => `'${word}'`).join(" ");
        const { stdout, stderr } = await new Deno.Command("bash", {
          args: ["-c", `${words} | head -c 1 >/dev/null; echo \${PIPESTATUS[0]}`],
          cwd: projectRoot,
        }).output();
        const code = Number(new TextDecoder().decode(stdout));
        assert(code === 0 || code === 75, `${args.join(" ")}: ${code}`);
        assertEquals(new TextDecoder().decode(stderr), "", args.join(" "));
      }
    },
  },
];
