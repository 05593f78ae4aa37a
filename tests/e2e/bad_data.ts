/** Invalid files that users might have, each made from a valid one. @module */
import { join } from "node:path";
import { encodeArrow } from "@/lib/data/arrow/encode_arrow.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { writePrompts } from "@/lib/data/contracts/prompts.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { canonicalJson } from "@/lib/data/files/canonical_json.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import type { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const BASE = join(projectRoot, "fixtures/stories260k");

/** Writes valid and invalid files to `dir` and returns their absolute paths. */
export async function writeBadData(dir: TemporaryDirectory): Promise<Readonly<Record<string, string>>> {
  const digest = tokenizerDigest(BASE);
  const paths = {
    tokens: dir.file("tokens.arrow"),
    prompts: dir.file("prompts.arrow"),
    emptyDemonstrations: dir.write("empty.jsonl", "\n"),
    longDemonstrations: dir.write(
      "long.jsonl",
      ["Once upon a time", "One day"].map((prompt) =>
        `${
          JSON.stringify({ prompt, response: prompt === "One day" ? " Tim ran.".repeat(200) : " Tim ran." })
        }\n`
      ).join(""),
    ),
    wrongColumn: dir.file("wrong_column.arrow"),
    noRows: dir.file("no_rows.arrow"),
    nanModel: copyBase(dir, "nan_model", spoilWeights),
    strangeFamily: copyBase(
      dir,
      "strange_family",
      (model) => edit(join(model, "config.json"), (config) => ({ ...config, model_type: "mamba" })),
    ),
  };
  const inputIds = [Int32Array.of(1, 403, 407), Int32Array.of(1, 410, 2)];
  await writeTokens(paths.tokens, {
    rows: inputIds.map((ids, i) => ({
      id: `d${i}`,
      inputIds: ids,
      lossMask: Uint8Array.of(0, 1, 1),
      source: "",
    })),
    tokenizerDigest: digest,
  });
  await writePrompts(paths.prompts, {
    rows: [{ id: "p0", promptIds: Int32Array.of(1, 403), meta: "{}" }],
    tokenizerDigest: digest,
  });
  const header = new Map([["srppo", canonicalJson({ contract: "tokens@1", tokenizer: digest })]]);
  const columns = {
    id: ["d0"],
    input_ids: [Float32Array.of(1, 403, 407)],
    loss_mask: [Uint8Array.of(0, 1, 1)],
    source: [""],
  };
  Deno.writeFileSync(
    paths.wrongColumn,
    encodeArrow(
      { id: "utf8", input_ids: "list<f32>", loss_mask: "list<u8>", source: "utf8" },
      columns,
      header,
    ),
  );
  Deno.writeFileSync(
    paths.noRows,
    encodeArrow(
      { id: "utf8", input_ids: "list<i32>", loss_mask: "list<u8>", source: "utf8" },
      { id: [], input_ids: [], loss_mask: [], source: [] },
      header,
    ),
  );
  return paths;
}

/** Returns the path of a copy of the base model that `spoil` changed. */
function copyBase(dir: TemporaryDirectory, name: string, spoil: (model: string) => void): string {
  const model = dir.file(name);
  Deno.mkdirSync(model);
  for (const entry of Deno.readDirSync(BASE)) {
    if (entry.isFile) Deno.writeFileSync(join(model, entry.name), Deno.readFileSync(join(BASE, entry.name)));
  }
  spoil(model);
  return model;
}

/** Makes the last weight of the file NaN. */
function spoilWeights(model: string): void {
  const path = join(model, "model.safetensors");
  const bytes = Deno.readFileSync(path);
  new DataView(bytes.buffer).setFloat32(bytes.length - 4, NaN, true);
  Deno.writeFileSync(path, bytes);
}

function edit(path: string, change: (json: Record<string, unknown>) => unknown): void {
  Deno.writeTextFileSync(path, JSON.stringify(change(JSON.parse(Deno.readTextFileSync(path)))));
}
