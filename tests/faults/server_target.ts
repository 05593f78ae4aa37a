/** A run of `sft` over HTTP: the server is killed while the stage runs, started again, and gets the same request. @module */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { stage as sft } from "@/stages/sft/main.ts";
import { stage as tokenize } from "@/stages/tokenize/main.ts";
import { firstRows } from "@/tests/e2e/small_quickstart.ts";
import { commandOf } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { type Fault, type KillResult, pause, signal, type Target } from "./target.ts";

const TOKEN = "a secret of this test, long enough for any address";
const ADDRESS = /http:\/\/127\.0\.0\.1:\d+(?=\s)/;

function outputsIn(folder: string, ports: object): Record<string, string> {
  return Object.fromEntries(Object.keys(ports).map((port) => [port, `${folder}/${port}`]));
}

/** A server that is killed. */
export class ServerTarget implements Target {
  readonly name = "server";
  readonly #directory = new TemporaryDirectory();
  #expected: unknown;
  #runs = 0;
  #server: { readonly child: Deno.ChildProcess; readonly address: string } | undefined;

  /** Makes the data and runs both stages once without a kill. */
  static async open(): Promise<ServerTarget> {
    const target = new ServerTarget(), root = target.#directory;
    Deno.mkdirSync(root.file("model"));
    const model = join(projectRoot, "fixtures/stories260k");
    for (const { name } of Deno.readDirSync(model)) {
      Deno.copyFileSync(join(model, name), root.file(`model/${name}`));
    }
    root.write("demos.jsonl", firstRows("fixtures/quickstart/demos.jsonl", 64));
    const tokenized = await target.#post("tokenize", {
      inputs: { demonstrations: "demos.jsonl", model: "model" },
      outputs: outputsIn("tokens", tokenize.outputs),
    });
    assertEquals(tokenized, "finished");
    assertEquals(await target.#post("sft", target.#request("undisturbed")), "finished");
    target.#expected = digestDirectory(root.file("undisturbed"));
    return target;
  }

  /** The kill happens at a random time after the request, or while the server starts. */
  async kill({ signal: name, random }: Fault): Promise<KillResult> {
    if (random() < 0.1) {
      const child = this.#spawn();
      await pause(1500 * random());
      signal(child, name);
      await child.output();
      return "interrupted";
    }
    const { child } = await this.#start();
    const answer = this.#post("sft", this.#request(`killed${this.#runs}`)).catch(() =>
      "interrupted" as const
    );
    await pause(3000 * random());
    signal(child, name);
    await child.status;
    this.#server = undefined;
    const result = await answer;
    if (result === "finished") await this.compare();
    return result;
  }

  async compare(): Promise<void> {
    const folder = `killed${this.#runs++}`;
    assertEquals(await this.#post("sft", this.#request(folder)), "finished");
    assertEquals(digestDirectory(this.#directory.file(folder)), this.#expected);
    const left = [...Deno.readDirSync(this.#directory.file(folder))].map(({ name }) => name).filter((name) =>
      name.startsWith(".")
    );
    assertEquals(left, [], "no partial output is left");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server) {
      signal(this.#server.child, "SIGTERM");
      await this.#server.child.status;
    }
    this.#directory[Symbol.dispose]();
  }

  #request(folder: string): unknown {
    return {
      inputs: { tokens: "tokens/train", model: "model" },
      outputs: outputsIn(folder, sft.outputs),
      params: { max_updates: 60, batch_size: 8, lr: 1e-3 },
      seed: 3,
    };
  }

  #spawn(): Deno.ChildProcess {
    const flags = ["--data", this.#directory.path, "--port", "0", "--threads", "1", "--cores", "1"];
    const [program, ...args] = commandOf(["serve", ...flags]);
    return new Deno.Command(program!, {
      args,
      cwd: projectRoot,
      env: { NO_COLOR: "1", SRPPO_TOKEN: TOKEN },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  }

  /** Starts the server unless it runs, and waits for its address. */
  async #start(): Promise<{ readonly child: Deno.ChildProcess; readonly address: string }> {
    if (this.#server) return this.#server;
    const child = this.#spawn();
    const [head, rest] = child.stdout.tee();
    rest.pipeTo(new WritableStream()).catch(() => {});
    let text = "";
    const reader = head.pipeThrough(new TextDecoderStream()).getReader();
    while (!ADDRESS.test(text)) {
      const { value, done } = await reader.read();
      assert(!done, `the server ended at once: ${text}`);
      text += value;
    }
    reader.cancel().catch(() => {});
    this.#server = { child, address: ADDRESS.exec(text)![0] };
    return this.#server;
  }

  /** Sends a request until the server runs it: a killed run may still hold its directory. Returns how the run ended. */
  async #post(stage: string, body: unknown): Promise<KillResult> {
    const { address } = await this.#start();
    for (let attempts = 0;; attempts++) {
      const response = await fetch(`${address}/stages/${stage}`, {
        method: "POST",
        headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      // The run had finished when the server was killed; only its answer is missing.
      if (response.status === 400 && /already exists/.test(text)) return "finished";
      if (response.ok && /^event: finished$/m.test(text)) return "finished";
      const isInterrupted = response.ok && (/"exit_code":75/.test(text) || !/^event: failed$/m.test(text));
      if (isInterrupted && this.#server === undefined) return "interrupted";
      const isBusy = isInterrupted || [409, 429, 503].includes(response.status);
      assert(isBusy && attempts < 40, `${response.status} ${text}`);
      await pause(250);
    }
  }
}
