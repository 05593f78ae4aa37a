/** The download of a model from a hub on this machine, killed and started again with the same cache. @module */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { permissionFlags } from "@/lib/app/relaunch.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { type FakeHub, fakeHub } from "@/tests/support/fake_hub.ts";
import { randomNumbers } from "@/tests/support/random_numbers.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { type Fault, type KillResult, pause, signal, type Target } from "./target.ts";

/** Bytes of the weights; at 64 KiB every 40 ms they take 2.6 s. */
const WEIGHTS = 4 << 20;

/** A download that is killed. After each comparison the next one begins with an empty cache. */
export class DownloadTarget implements Target {
  readonly name = "download";
  readonly #directory = new TemporaryDirectory();
  #runs = 0;

  private constructor(readonly hub: FakeHub, readonly expected: unknown) {}

  /** Starts the hub. */
  static open(): Promise<DownloadTarget> {
    const random = randomNumbers(5);
    const weights = Uint8Array.from({ length: WEIGHTS }, () => 256 * random());
    const files = {
      "config.json": "{}",
      "tokenizer.json": "{}".repeat(3000),
      "model.safetensors": weights,
    };
    const hub = fakeHub(files);
    hub.pauseMs = 40;
    using directory = new TemporaryDirectory();
    for (const [name, content] of Object.entries(files)) directory.write(name, content);
    return Promise.resolve(new DownloadTarget(hub, digestDirectory(directory.path)));
  }

  /** The kill happens at a random time after the start of the program. */
  async kill({ signal: name, random }: Fault): Promise<KillResult> {
    const child = this.#start();
    const timer = setTimeout(() => signal(child, name), 2500 * random());
    const { code, stderr } = await child.output();
    clearTimeout(timer);
    assert(
      [0, 75, 137, 143].includes(code),
      `exit code ${code} after ${name}: ${new TextDecoder().decode(stderr)}`,
    );
    return code === 0 ? "finished" : "interrupted";
  }

  async compare(): Promise<void> {
    const { code, stdout, stderr } = await this.#start().output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const [path] = Object.values(JSON.parse(new TextDecoder().decode(stdout))) as [string];
    assertEquals(digestDirectory(path), this.expected);
    Deno.removeSync(this.#cache, { recursive: true });
    this.#runs++;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hub[Symbol.asyncDispose]();
    await pause(0);
    this.#directory[Symbol.dispose]();
  }

  get #cache(): string {
    return this.#directory.file(`cache${this.#runs}`);
  }

  #start(): Deno.ChildProcess {
    const { endpoint } = this.hub;
    Deno.mkdirSync(this.#cache, { recursive: true });
    const permissions = permissionFlags({
      read: [join(projectRoot, "node_modules"), this.#cache],
      write: [this.#cache],
      net: [new URL(endpoint).host],
      env: ["HF_TOKEN"],
      sys: ["statfs"],
    });
    const module = join(projectRoot, "lib/app/hub_command.ts");
    return new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--cached-only",
        ...permissions,
        module,
        this.#cache,
        endpoint,
        "hf:org/tiny",
      ],
      cwd: projectRoot,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }
}
