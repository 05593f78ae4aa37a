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
import { finish, launch } from "@/tests/support/launch.ts";
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
];
