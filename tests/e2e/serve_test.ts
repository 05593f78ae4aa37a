/**
 * `deno task serve` with the real stages, over a socket, as a client sees it: runs, refusals, and runs whose client or server
 * ends.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { stage as sft } from "@/stages/sft/main.ts";
import { stage as tokenize } from "@/stages/tokenize/main.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { symlink } from "@/tests/support/symlink.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const TOKEN = "a secret of this test";

/** An event of a run: its name and data. */
type ServedEvent = readonly [name: string, data: Record<string, unknown>];

/** A running server. */
class Server {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, readonly address: string) {
    this.#child = child;
  }

  /** Starts the task on a free port and waits until it prints its address. */
  static async start(data: string): Promise<Server> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "serve", "--data", data, "--port", "0", "--threads", "1", "--cores", "1"],
      cwd: projectRoot,
      env: { NO_COLOR: "1", SRPPO_TOKEN: TOKEN },
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const [head, rest] = child.stdout.tee();
    void rest.pipeTo(new WritableStream()); // later output must not fill the pipe
    let text = "";
    const reader = head.pipeThrough(new TextDecoderStream()).getReader();
    while (!text.includes("\n")) {
      const { value, done } = await reader.read();
      assert(!done, `the server ended at once: ${text}`);
      text += value;
    }
    await reader.cancel();
    const [, address] =
      text.match(/^Serving \d+ stages on (http:\/\/127\.0\.0\.1:\d+) with files below .*\n/) ??
        [];
    assert(address !== undefined, text);
    return new Server(child, address);
  }

  send(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.address}${path}`, {
      headers: { "Authorization": `Bearer ${TOKEN}`, "Content-Type": "application/json", ...headers },
      ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
    });
  }

  async health(): Promise<Record<string, unknown>> {
    return await (await fetch(`${this.address}/healthz`)).json();
  }

  /** Sends SIGTERM to the task, as a container runtime does, and returns its exit code. */
  async stop(): Promise<number> {
    this.#child.kill("SIGTERM");
    return (await this.#child.status).code;
  }
}

/** Makes a data root with the quickstart's model, with links as in a download cache, and its first demonstrations. */
function dataRoot(directory: TemporaryDirectory): string {
  for (const folder of ["stories260k", "blobs"]) Deno.mkdirSync(directory.file(folder));
  const model = join(projectRoot, "fixtures/stories260k");
  for (const { name } of Deno.readDirSync(model)) {
    Deno.copyFileSync(join(model, name), directory.file(`blobs/${name}`));
    symlink(`../blobs/${name}`, directory.file(`stories260k/${name}`));
  }
  const rows = Deno.readTextFileSync(join(projectRoot, "fixtures/quickstart/demos.jsonl")).split("\n");
  directory.write("demos.jsonl", rows.slice(0, 64).join("\n") + "\n");
  return directory.path;
}

/** Yields the events of a stream of server-sent events. */
async function* eventsOf(response: Response): AsyncGenerator<ServedEvent> {
  assertEquals([response.status, response.headers.get("Content-Type")], [200, "text/event-stream"]);
  let rest = "";
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop()!;
    for (const block of blocks) {
      const match = block.match(/^event: (\w+)\ndata: (.*)$/);
      if (match) yield [match[1]!, JSON.parse(match[2]!)];
    }
  }
}

async function refusal(response: Response): Promise<[status: number, message: string]> {
  return [response.status, (await response.json()).error.message];
}

/** The request for `tokenize`, and one for `sft` that makes `updates` updates into `folder`. */
const TOKENIZE = {
  inputs: { demonstrations: "demos.jsonl", model: "stories260k" },
  outputs: Object.fromEntries(Object.keys(tokenize.outputs).map((port) => [port, `tokens/${port}`])),
};
function sftRequest(folder: string, updates: number, batchSize = 4) {
  return {
    inputs: { tokens: "tokens/train", model: "stories260k" },
    outputs: Object.fromEntries(Object.keys(sft.outputs).map((port) => [port, `${folder}/${port}`])),
    params: { max_updates: updates, batch_size: batchSize, lr: 1e-3 },
    seed: 3,
  };
}

/** Runs the same two stages in this process. @returns where sft's outputs are */
async function runHere(
  root: string,
  home: string,
  { inputs: { model }, params, seed }: ReturnType<typeof sftRequest>,
): Promise<Record<string, string>> {
  const at = (inputs: Record<string, string>) =>
    Object.fromEntries(Object.entries(inputs).map(([port, path]) => [port, join(root, path)]));
  const tokens = await runStage(tokenize, join(home, "tokens"), { inputs: at(TOKENIZE.inputs) });
  return await runStage(sft, join(home, "sft"), {
    inputs: { tokens: tokens.train!, model: join(root, model) },
    params,
    seed,
    scratch: home,
  });
}

function namesIn(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

function step([name, data]: ServedEvent): number {
  assertEquals(name, "progress");
  return data.step as number;
}

Deno.test("deno task serve runs stages on files of its data root, with the same bytes as the stages alone", async () => {
  using directory = new TemporaryDirectory();
  using elsewhere = new TemporaryDirectory();
  const root = dataRoot(directory), updates = 6, request = sftRequest("sft", updates);
  const server = await Server.start(root);
  try {
    const anonymous = await server.send("/stages/tokenize", TOKENIZE, { Authorization: "" });
    assertEquals(await refusal(anonymous), [
      401,
      "This request requires the server's token: Authorization: Bearer TOKEN",
    ]);
    const outside = { ...TOKENIZE, inputs: { ...TOKENIZE.inputs, model: "../stories260k" } };
    assertEquals(await refusal(await server.send("/stages/tokenize", outside)), [
      400,
      'Invalid request for tokenize: Location "../stories260k" must be a path below the data root',
    ]);
    assertEquals(await server.health(), { status: "ok", running: 0, slots: 1 });
    const { stages } = await (await server.send("/stages")).json();
    assertEquals(stages.length, 8);

    const tokenized = await Array.fromAsync(eventsOf(await server.send("/stages/tokenize", TOKENIZE)));
    assertEquals(tokenized.at(-1)?.[0], "finished", JSON.stringify(tokenized));
    const trained = await Array.fromAsync(
      eventsOf(await server.send("/stages/sft", request)),
    );
    const [last, result] = trained.at(-1)!;
    assertEquals([last, result.outputs], ["finished", ["policy", "metrics"]]);
    assertEquals(trained.slice(0, -1).map(step), [1, 2, 3, 4, 5, 6]);
    assertEquals(trained[0]![1].total, updates);

    const here = await runHere(root, elsewhere.path, request);
    for (const file of ["policy/model.safetensors", "policy/config.json", "metrics"]) {
      const [port, ...rest] = file.split("/");
      assertEquals(
        Deno.readFileSync(join(root, "sft", file)),
        Deno.readFileSync(join(here[port!]!, ...rest)),
        file,
      );
    }
    assertEquals(namesIn(root), [".srppo", "blobs", "demos.jsonl", "sft", "stories260k", "tokens"]);
    assertEquals(namesIn(join(root, "sft")), ["metrics", "policy"]);
    assertEquals(namesIn(join(root, ".srppo/scratch")), []);
  } finally {
    assertEquals(await server.stop(), 0);
  }
});

Deno.test("deno task serve responds while a stage computes, and ends a run whose client disconnects", async () => {
  using directory = new TemporaryDirectory();
  const server = await Server.start(dataRoot(directory));
  try {
    await Array.fromAsync(eventsOf(await server.send("/stages/tokenize", TOKENIZE)));
    const endless = sftRequest("sft", 100_000);
    const run = eventsOf(await server.send("/stages/sft", endless));
    await run.next();
    assertEquals(await server.health(), { status: "ok", running: 1, slots: 1 });
    const second = await server.send("/stages/sft", sftRequest("other", 1));
    assertEquals(second.headers.get("Retry-After"), "10");
    assertEquals(await refusal(second), [429, "Cannot start sft: 1 of 1 slots are in use"]);

    await run.return(undefined); // cancels the body, which closes the connection
    while ((await server.health()).running !== 0) await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(namesIn(directory.path), [".srppo", "blobs", "demos.jsonl", "sft", "stories260k", "tokens"]);
    assertEquals(namesIn(directory.file("sft")), []);

    const again = eventsOf(await server.send("/stages/sft", endless));
    const first = await again.next();
    assert(step(first.value as ServedEvent) > 1, "the same request must resume from its checkpoint");
    await again.return(undefined);
  } finally {
    // The second run may or may not have ended by itself by now.
    assert([0, 75].includes(await server.stop()));
  }
});

Deno.test("SIGTERM saves the work of a served stage: exit code 75, and the next server finishes with equal bytes", async () => {
  using directory = new TemporaryDirectory();
  using elsewhere = new TemporaryDirectory();
  // Long enough for the signal, which passes through three processes, to arrive before the end.
  const root = dataRoot(directory), updates = 60, request = sftRequest("sft", updates, 8);
  const server = await Server.start(root);
  await Array.fromAsync(eventsOf(await server.send("/stages/tokenize", TOKENIZE)));
  const events: ServedEvent[] = [];
  let ended: Promise<number> | undefined;
  for await (const event of eventsOf(await server.send("/stages/sft", request))) {
    events.push(event);
    if (event[1].step === 1) ended = server.stop();
  }
  assertEquals(await ended, 75);
  const [name, { message, exit_code }] = events.at(-1)!;
  const made = events.filter(([name]) => name === "progress").length;
  assert(made < updates, "the run must be interrupted before its end");
  assertEquals([name, message, exit_code], [
    "failed",
    `Interrupted: ${made} of ${updates} updates are saved. Run the same command to resume`,
    75,
  ]);
  assertEquals(namesIn(directory.file("sft")), []);

  const next = await Server.start(root);
  const rest = await Array.fromAsync(eventsOf(await next.send("/stages/sft", request)));
  assertEquals(await next.stop(), 0);
  assertEquals([step(rest[0]!), rest.at(-1)?.[0]], [made + 1, "finished"]);
  const here = await runHere(root, elsewhere.path, request);
  assertEquals(
    Deno.readFileSync(directory.file("sft/policy/model.safetensors")),
    Deno.readFileSync(join(here.policy!, "model.safetensors")),
  );
});
