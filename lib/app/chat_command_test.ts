/** The chat by its standard input and output, as a user without a terminal runs it. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { paint } from "@/lib/report/ansi.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { readChatFlags } from "./chat_command.ts";
import { chatSources } from "./chat_models.ts";
import { rewardLine, sideBySide, wrapped } from "./chat_text.ts";

const STORIES = `${projectRoot}/fixtures/stories260k`;

/** Starts a chat. */
function start(args: readonly string[], cwd = projectRoot): Deno.ChildProcess {
  const words = [
    "run",
    "--no-prompt",
    "--cached-only",
    "--allow-read",
    `--allow-write=${cwd}`,
    "--allow-ffi",
  ];
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...words,
      "--allow-env=INIT_CWD",
      `${projectRoot}/lib/app/chat_command.ts`,
      "--threads",
      "1",
      ...args,
    ],
    env: { INIT_CWD: cwd, NO_COLOR: "1" },
    cwd: projectRoot,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs a chat with all of its input and returns its output. */
async function chat(args: readonly string[], lines: readonly string[], cwd?: string): Promise<string> {
  const child = start(args, cwd), writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  return new TextDecoder().decode(stdout);
}

/** Writes a directory like that of a finished run: SFT model, policy and reward are the stories' model. */
function writeRun(directory: TemporaryDirectory): string {
  const copy = (to: string) => {
    Deno.mkdirSync(directory.file(to), { recursive: true });
    for (const { name } of Deno.readDirSync(STORIES)) {
      Deno.copyFileSync(`${STORIES}/${name}`, directory.file(`${to}/${name}`));
    }
  };
  copy("outputs/policy");
  copy("store/views/key/policy");
  const events = [
    { type: "stage_finished", stage: "members.sft", uses: "sft", index: 0, key: "other" },
    { type: "stage_cached", stage: "sft", uses: "sft", key: "key" },
  ];
  directory.write("run.jsonl", events.map((event) => JSON.stringify(event) + "\n").join(""));
  return directory.path;
}

Deno.test("a base model continues text; seeds, temperature, length, history and saving by commands", async () => {
  using directory = new TemporaryDirectory();
  const lines = [
    "Once upon a time",
    "/seed 3",
    "/tokens 12",
    "/temperature 0.8",
    "Once upon a time",
    "Once upon a time",
    "/more",
    "/temperature hot",
    "/nothing",
    "/reward",
    "/history",
    "/save talk.json",
    "/save talk.json",
  ];
  const text = await chat([STORIES, "--temperature", "0", "--max-tokens", "8"], lines, directory.path);
  const [greedy, , , , first, again, more, ...rest] = text.split("\n");
  assertEquals(greedy, ", there was a little girl");
  assertEquals(first, again);
  assertMatch(
    rest.join("\n"),
    /temperature must be from 0 to 2, got "hot"\nUnknown command \/nothing, see \/help\nThere is no reward/,
  );
  assertMatch(text, /you> Once upon a time\nstories260k> , there was/);
  const saved = JSON.parse(Deno.readTextFileSync(directory.file("talk.json")));
  assertEquals(saved.settings, { system: "", seed: 3, temperature: 0.8, maxTokens: 12 });
  assertEquals(saved.conversation.length, 3);
  assertEquals(saved.conversation[2].responses.stories260k, first! + more!);
  assertMatch(text, /Saved 3 turns in \S+talk\.json\n/);
  assertMatch(text, /exists/); // the second /save does not replace the file
});

Deno.test("a model with a template gets the system message and the turns before", async () => {
  using directory = new TemporaryDirectory();
  const args = [STORIES, "--chat-template", "chatml", "--temperature", "0", "--max-tokens", "16"];
  const responses = async (name: string, lines: readonly string[]): Promise<string[]> => {
    await chat(args, [...lines, `/save ${name}`], directory.path);
    const { conversation } = JSON.parse(Deno.readTextFileSync(directory.file(name)));
    return conversation.map(({ responses }: { responses: Record<string, string> }) => responses.stories260k);
  };
  const [plain, later] = await responses("a.json", ["Hi", "Hi"]);
  const [kind] = await responses("b.json", ["/system Be kind", "Hi"]);
  assert(plain !== later && plain !== kind, "the turns before and the system message change the response");
  assertEquals(await responses("c.json", ["/system Be kind", "Hi", "/system", "/reset", "Hi"]), [plain]);
});

Deno.test("a finished run: SFT model and policy on one prompt, with the reward of each token", async () => {
  using directory = new TemporaryDirectory();
  const run = writeRun(directory);
  assertEquals(chatSources([run], undefined), {
    models: [
      { name: "sft", directory: `${run}/store/views/key/policy` },
      { name: "srppo", directory: `${run}/outputs/policy` },
    ],
    reward: undefined,
  });
  const text = await chat([run, "--temperature", "0", "--max-tokens", "5"], ["Once upon a time"]);
  assertEquals(text, "sft> , there was a little\nsrppo> , there was a little\n");
  assertThrows(
    () => chatSources([STORIES, run], undefined),
    UsageError,
    "A chat has one or two models, got ",
  );
  assertEquals(chatSources([STORIES, STORIES], undefined).models.map(({ name }) => name), [
    "stories260k 1",
    "stories260k 2",
  ]);
  Deno.removeSync(`${run}/outputs`, { recursive: true });
  assertThrows(
    () => chatSources([run], undefined),
    DataError,
    "got a run without outputs/policy, which is not finished",
  );
  assertThrows(
    () => chatSources(["fixtures"], undefined),
    DataError,
    "the directory of a finished run is required, got neither",
  );
});

Deno.test("Ctrl-C stops the response only", async () => {
  using directory = new TemporaryDirectory();
  for (const { name } of Deno.readDirSync(STORIES)) {
    Deno.copyFileSync(`${STORIES}/${name}`, directory.file(name));
  }
  const config = JSON.parse(Deno.readTextFileSync(`${STORIES}/config.json`));
  directory.write("config.json", JSON.stringify({ ...config, max_position_embeddings: 65_536 }));
  const child = start([directory.path, "--temperature", "0", "--max-tokens", "60000", "--context", "65536"]);
  const writer = child.stdin.getWriter(),
    send = (text: string) => writer.write(new TextEncoder().encode(text));
  await send("Once upon a time\n");
  let text = "";
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const until = async (wanted: RegExp) => {
    while (!wanted.test(text)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`The output must match ${wanted}: got ${text.slice(-200)}`);
      text += value;
    }
  };
  await until(/there was/);
  child.kill("SIGINT");
  await until(/\(stopped\)\n/);
  await send("/tokens 4\nOnce upon a time\n");
  await until(/tokens is 4\n, there was a\n/);
  await send("/quit\n");
  const { code } = await child.status;
  assertEquals(code, 0);
  await writer.close().catch(() => {});
  await reader.cancel();
  await child.stderr.cancel();
});

Deno.test("columns, wrapped lines and rewards as text", () => {
  assertEquals(wrapped("one two three\n\nfour", 8), ["one two ", "three", "", "four"]);
  assertEquals(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
  const texts = [{ name: "sft", text: " A long line of words" }, { name: "srppo", text: "Short" }];
  assertEquals(
    sideBySide(texts, 43, paint(false)),
    "sft                    srppo\nA long line of words   Short\n",
  );
  const tokens = [{ text: " Tim", reward: 0.5 }, { text: "\n", reward: -0.25 }, { text: " ", reward: 0.01 }];
  assertEquals(
    rewardLine(tokens, paint(false)),
    "Tim[+0.50] \\n[−0.25] ␣[+0.01]\nreward 0.26 nats, 3 tokens\n",
  );
  const { green, red, dim } = paint(true);
  const painted = [green("Tim[+0.50]"), red("\\n[−0.25]"), dim("␣[+0.01]")].join(" ");
  assertEquals(rewardLine(tokens, paint(true)).split("\n")[0], painted);
});

Deno.test("flags are checked", () => {
  assertThrows(
    () => readChatFlags(["a", "b", "c", "--seed", "x", "--temperature", "9"], "/"),
    UsageError,
    'expected at most 2 argument, got a, b, c; --temperature must be from 0 to 2, got "9"; --seed must be an integer ≥ 0',
  );
  assertEquals(readChatFlags([], "/x").directories, ["/x/runs/quickstart"]);
});
