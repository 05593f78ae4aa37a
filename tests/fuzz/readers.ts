/** Every reader of bytes that come from elsewhere, with valid samples to mutate. @module */
import { decodeArrow } from "@/lib/data/arrow/decode_arrow.ts";
import { decodeArrowRows } from "@/lib/data/arrow/decode_rows.ts";
import { encodeArrow } from "@/lib/data/arrow/encode_arrow.ts";
import { readDataFile } from "@/lib/data/demonstrations/data_files.ts";
import { openSafetensors } from "@/lib/data/files/safetensors.ts";
import { chatTemplate } from "@/lib/data/text/chat_template.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { modelFromConfig, readConfig } from "@/lib/model/models/config.ts";
import { parseManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { projectRoot } from "@/lib/app/project_root.ts";

/** A reader. */
export interface FuzzedReader {
  readonly samples: readonly Uint8Array[];
  /** @param directory for files of the reader's own */
  readonly read: (bytes: Uint8Array<ArrayBuffer>, directory: string) => unknown;
}

const file = (path: string): Uint8Array => Deno.readFileSync(`${projectRoot}/fixtures/${path}`);
const text = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

function readFile(ending: string): FuzzedReader["read"] {
  return (bytes, directory) => {
    Deno.writeFileSync(`${directory}/case.${ending}`, bytes);
    return readDataFile(`${directory}/case.${ending}`);
  };
}

/** Returns the first lines of a file. */
function firstLines(bytes: Uint8Array, count: number): Uint8Array {
  return text(new TextDecoder().decode(bytes).split("\n", count).join("\n"));
}

const ARROW = { id: "utf8", ids: "list<i32>", n: "f64" } as const;

function arrowSample(): Uint8Array {
  const columns = { id: ["a", "b"], ids: [new Int32Array([1, 2]), new Int32Array()], n: [1, 2] };
  return encodeArrow(ARROW, columns, new Map([["contract", "x@1"]]));
}

function safetensorsSample(): Uint8Array {
  const header = text({
    __metadata__: { format: "pt" },
    a: { dtype: "F32", shape: [2, 2], data_offsets: [0, 16] },
    b: { dtype: "BF16", shape: [3], data_offsets: [16, 22] },
  });
  const bytes = new Uint8Array(8 + header.length + 22);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  return bytes;
}

const TOKENIZER = {
  version: "1.0",
  added_tokens: [{
    id: 0,
    content: "<s>",
    special: true,
    lstrip: false,
    rstrip: false,
    normalized: false,
    single_word: false,
  }],
  normalizer: {
    type: "Sequence",
    normalizers: [{ type: "Replace", pattern: { Regex: "a+" }, content: "a" }, { type: "NFC" }],
  },
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  model: { type: "BPE", unk_token: null, vocab: { "<s>": 0, a: 1, b: 2, ab: 3 }, merges: [["a", "b"]] },
};

const TEMPLATE =
  "{% for message in messages %}{% if loop.first and message.role == 'user' %}{{ '<s>' }}{% endif %}" +
  "{% set x = message['content'] | trim %}{{ message.role + ': ' + x }}{% generation %}{{ x[1:] | upper }}" +
  "{% endgeneration %}{% endfor %}{{ range(3) | list }}{{ messages | length }}";

const MESSAGES = [{ role: "user", content: " Hi " }, { role: "assistant", content: "Hello" }];

const CONFIGS = ["gpt2", "llama", "gemma2", "qwen3", "gpt_neox", "phi3"].map((model_type) =>
  text({
    model_type,
    architectures: ["LlamaForCausalLM"],
    ...{
      vocab_size: 100,
      hidden_size: 64,
      intermediate_size: 128,
      num_hidden_layers: 2,
      num_attention_heads: 4,
    },
    ...{
      num_key_value_heads: 2,
      head_dim: 16,
      max_position_embeddings: 64,
      rope_theta: 1e4,
      rms_norm_eps: 1e-6,
    },
    ...{ rope_scaling: { rope_type: "yarn", factor: 2 }, sliding_window: null, layer_types: null },
  })
);

/** The readers by name. */
export const READERS: Readonly<Record<string, FuzzedReader>> = {
  arrow: {
    samples: [
      arrowSample(),
      file("goldens/layouts/rows.arrow"),
      file("goldens/layouts/rows_large_dictionary.arrow"),
    ],
    read(bytes) {
      decodeArrowRows(bytes, "case.arrow");
      return decodeArrow(bytes, ARROW, "case.arrow");
    },
  },
  safetensors: {
    samples: [safetensorsSample()],
    read(bytes, directory) {
      Deno.writeFileSync(`${directory}/case.safetensors`, bytes);
      using opened = openSafetensors(`${directory}/case.safetensors`);
      return opened.names.map((name) => opened.readFloat32(name));
    },
  },
  parquet: {
    samples: ["rows.snappy", "rows.zstd", "messages.snappy"].map((name) =>
      file(`goldens/layouts/${name}.parquet`)
    ),
    read: readFile("parquet"),
  },
  jsonl: { samples: [firstLines(file("quickstart/eval.jsonl"), 3)], read: readFile("jsonl") },
  csv: {
    samples: [file("goldens/layouts/two_columns.csv"), file("goldens/layouts/qa_bom_crlf.csv")],
    read: readFile("csv"),
  },
  yaml: {
    samples: [Deno.readFileSync(`${projectRoot}/pipelines/quickstart.yaml`)],
    read: (bytes) => parseManifest(new TextDecoder().decode(bytes), "case.yaml"),
  },
  tokenizer: {
    samples: [text(TOKENIZER)],
    async read(bytes, directory) {
      Deno.writeFileSync(`${directory}/tokenizer.json`, bytes);
      const tokenizer = loadTokenizer(directory);
      const [ids] = await tokenizer.encodeAll(["ab a <s> \u{1f600}\0"]);
      return tokenizer.decode(ids!);
    },
  },
  config: {
    samples: CONFIGS,
    read(bytes, directory) {
      Deno.writeFileSync(`${directory}/config.json`, bytes);
      return modelFromConfig(readConfig(directory), { path: "config.json" });
    },
  },
  template: {
    samples: [text(TEMPLATE)],
    read(bytes) {
      const setting = { name: "case", specialTokens: { bos_token: "<s>" }, clock: new Date(0) };
      return chatTemplate(new TextDecoder().decode(bytes), setting).render(MESSAGES);
    },
  },
};
