/**
 * `deno task test:harness`: lm-evaluation-harness against this project's server, compared with transformers on the same
 * checkpoint. Arguments: the Python of `serve_environment.sh`, `--data DIR` with `gsm8k/{train,test}.jsonl` and
 * `ifeval/input_data.jsonl`, `--limit N` documents per task. All files are below runs/harness/serve. Prints one line per task; exit code 1
 * if one differs.
 * @module
 */
import { join, resolve } from "node:path";
import { parseArgs } from "@std/cli/parse-args";
import { projectRoot } from "@/lib/app/project_root.ts";

const HOME = join(projectRoot, "runs/harness/serve"), DATA = join(HOME, "data"), MODEL = join(HOME, "model");
const STORIES = join(projectRoot, "fixtures/stories260k");
/** Tokens of a prompt of gsm8k with five examples, by the 512 tokens of the stories' tokenizer, and its response. */
const CONTEXT = 4096;
/** ChatML, as transformers reads it from tokenizer_config.json. */
const TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + " +
  "'<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Rows of a JSONL file. */
function rowsOf(path: string): Record<string, string>[] {
  return Deno.readTextFileSync(path).trimEnd().split("\n").map((line) => JSON.parse(line));
}

function write(name: string, rows: readonly unknown[]): void {
  Deno.writeTextFileSync(join(DATA, name), rows.map((row) => JSON.stringify(row) + "\n").join(""));
}

/** Writes a copy of the stories' model with a longer context and a chat template: both sides read it. */
function writeModel(): void {
  Deno.mkdirSync(MODEL, { recursive: true });
  for (const { name } of Deno.readDirSync(STORIES)) Deno.copyFileSync(join(STORIES, name), join(MODEL, name));
  const change = (name: string, fields: Record<string, unknown>) => {
    const path = join(MODEL, name), json = JSON.parse(Deno.readTextFileSync(path));
    Deno.writeTextFileSync(path, JSON.stringify({ ...json, ...fields }, null, 1));
  };
  // Without the limit of new tokens that this file has: the harness has its own.
  const ends = JSON.stringify({ bos_token_id: 1, eos_token_id: 2 });
  Deno.writeTextFileSync(join(MODEL, "generation_config.json"), ends);
  change("config.json", { max_position_embeddings: CONTEXT });
  change("tokenizer_config.json", { model_max_length: CONTEXT, chat_template: TEMPLATE });
}

/** Writes the data of the tasks: the benchmarks' files, and two sets of stories that this model was trained on. */
function writeData(folder: string): void {
  Deno.mkdirSync(DATA, { recursive: true });
  write("gsm8k_train.jsonl", rowsOf(join(folder, "gsm8k/train.jsonl")).slice(0, 500));
  write("gsm8k_test.jsonl", rowsOf(join(folder, "gsm8k/test.jsonl")));
  write(
    "ifeval.jsonl",
    rowsOf(join(folder, "ifeval/input_data.jsonl")).map(({ key, prompt }) => ({ key, prompt })),
  );
  const stories = rowsOf(join(projectRoot, "fixtures/quickstart/demos.jsonl"));
  const nameOf = ({ prompt }: Record<string, string>) => /named (\w+)/.exec(prompt!)?.[1] ?? "";
  // Stories that mention their character by name: the others mention another one.
  const named = stories.filter((story) => nameOf(story) !== "" && story.response!.includes(nameOf(story)));
  write(
    "cloze.jsonl",
    named.map((story, i) => {
      const others = named.slice(i + 1).concat(named).filter((other) => nameOf(other) !== nameOf(story))
        .slice(0, 3);
      const choices = others.map(({ response }) => response!), label = i % 4;
      choices.splice(label, 0, story.response!);
      return { context: story.prompt, choices, label };
    }),
  );
  write(
    "words.jsonl",
    stories.map(({ prompt }, i) => {
      const words = prompt!.split(" "), cut = 3 + i % 8;
      return {
        context: words.slice(0, cut).join(" "),
        target: ` ${words.slice(cut, cut + 1 + i % 3).join(" ")}`,
      };
    }),
  );
}

/** Starts the server on a free port. */
async function startServer(): Promise<{ readonly child: Deno.ChildProcess; readonly address: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "serve", "--port", "0", "--model", `stories=${MODEL}`, "--threads", "1"],
    cwd: projectRoot,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  for await (
    const part of child.stdout.pipeThrough(new TextDecoderStream()).values({ preventCancel: true })
  ) {
    text += part;
    const found = /on (http:\S+) /.exec(text);
    if (found) return { child, address: found[1]! };
  }
  throw new Error("The server must print its address");
}

if (import.meta.main) {
  const { _: [python], data, limit } = parseArgs(Deno.args, { string: ["data", "limit"] });
  if (python === undefined || data === undefined) {
    console.error("Usage: serve_command.ts PYTHON --data DIR [--limit N]");
    Deno.exit(64);
  }
  writeModel();
  writeData(resolve(Deno.env.get("INIT_CWD") ?? ".", data));
  const { child, address } = await startServer();
  const program = new Deno.Command(String(python), {
    args: ["-W", "ignore", join(import.meta.dirname!, "serve_harness.py"), address, MODEL, limit ?? "50"],
    cwd: projectRoot,
    env: {
      ...{
        HF_HUB_OFFLINE: "1",
        HF_DATASETS_OFFLINE: "1",
        HF_HOME: join(HOME, "cache"),
        LMEVAL_LOG_LEVEL: "ERROR",
      },
      ...{ TOKENIZERS_PARALLELISM: "false", PYTHONDONTWRITEBYTECODE: "1", OMP_NUM_THREADS: "1" },
    },
    stderr: "piped",
  }).spawn();
  // Progress bars, and the reason of a failure at the end.
  const errors = await new Response(program.stderr).text();
  const { code } = await program.status;
  if (code !== 0) console.error(errors.slice(-2000));
  child.kill("SIGTERM");
  await child.status;
  Deno.exit(code);
}
