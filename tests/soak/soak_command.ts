/**
 * `deno task test:soak --minutes N`: a server of stages, and requests in a loop: runs that finish, runs whose client leaves,
 * refused requests. Memory and open descriptors of the server must not grow from the first to the last third. Requires Linux.
 * @module
 */
import Table from "cli-table3";
import { join } from "node:path";
import { runCommand } from "@/lib/app/command.ts";
import { readFlags } from "@/lib/app/flags.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { growthOf, mebibytes, type Sample, TOLERANCE } from "./growth.ts";

const HELP = `Sends runs to a server for some minutes: its memory and open descriptors must not grow.

Usage: deno task test:soak [flags]

  --minutes N  how long requests are sent; default 5
  --verbose    print stack traces of errors
  --help       print this text

Example:
  deno task test:soak --minutes 30

Exit code: 0, or 1 if the medians of the last third exceed those of the first: memory by more than 10 % or 48 MiB, whichever is more, or
descriptors by more than 4.
`;

const TOKEN = "a token of the soak test, 32 characters or more";

/** Rows of the printed table. */
const ROWS = 12;

/** Every so many runs, a client leaves before the end of its run. */
const LEAVING = 5;

/** A server and the process that listens. */
interface Server {
  readonly child: Deno.ChildProcess;
  readonly address: string;
  readonly pid: number;
}

async function startServer(data: string): Promise<Server> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "serve", "--data", data, "--port", "0", "--threads", "1", "--cores", "1"],
    cwd: projectRoot,
    env: { NO_COLOR: "1", SRPPO_TOKEN: TOKEN },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  const address = / on (http:\S+) with/.exec(text)?.[1];
  if (address === undefined) {
    throw new UnavailableError(`The server must print its address, got ${JSON.stringify(text)}`);
  }
  void drain(reader); // later lines must not fill the pipe
  return { child, address, pid: innermost(child.pid) };
}

async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await reader.read()).done);
}

/** Returns the last of a chain of processes, each of which started the next. */
function innermost(pid: number): number {
  const child = Number(output("cat", `/proc/${pid}/task/${pid}/children`).trim().split(" ")[0]);
  return child > 0 ? innermost(child) : pid;
}

function output(program: string, ...args: readonly string[]): string {
  const { success, stdout } = new Deno.Command(program, { args: [...args], stderr: "null" }).outputSync();
  if (!success) throw new UnavailableError(`The soak test requires /proc of Linux, got no ${args.join(" ")}`);
  return new TextDecoder().decode(stdout);
}

/** Measures the server between two runs. */
function measure({ pid }: Server): Pick<Sample, "bytes" | "descriptors"> {
  const [, kilobytes] = /^VmRSS:\s*(\d+) kB$/m.exec(output("cat", `/proc/${pid}/status`)) ?? [];
  const descriptors = output("ls", `/proc/${pid}/fd`).trim().split("\n").length;
  return { bytes: Number(kilobytes) * 1024, descriptors };
}

function send({ address }: Server, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  return fetch(`${address}${path}`, {
    headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
    ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
    ...(signal && { signal }),
  });
}

/** One pass of the loop: the list of stages, two refused requests, and a run, which its client may leave. */
async function pass(server: Server, data: string, run: number): Promise<void> {
  await (await send(server, "/stages")).text();
  await (await send(server, "/stages/none", {})).text();
  await (await send(server, "/stages/tokenize", { inputs: { model: "../outside" } })).text();
  const folder = `out${run}`, leave = new AbortController();
  const sets = ["train", "validation", "audit", "prompts", "eval_prompts", "selection_prompts"];
  const ports = [...sets, "pairs", "report"];
  const request = {
    inputs: { demonstrations: "demos.jsonl", model: "model" },
    outputs: Object.fromEntries(ports.map((port) => [port, `${folder}/${port}`])),
    seed: run,
  };
  const response = await send(server, "/stages/tokenize", request, leave.signal);
  if (run % LEAVING === 0) {
    leave.abort();
    await response.body?.cancel().catch(() => {});
    await idle(server);
  } else {
    const events = await response.text();
    if (!events.includes("event: finished")) {
      throw new UnavailableError(
        `Run ${run} must finish, got status ${response.status} ${events.slice(-300)}`,
      );
    }
  }
  await Deno.remove(join(data, folder), { recursive: true }).catch(() => {});
}

/** Waits until no run is in progress. */
async function idle(server: Server): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const { running } = await (await send(server, "/healthz")).json();
    if (running === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new UnavailableError("A run whose client left must end within 60 s, got one in progress");
}

/** Makes a data root with a model and 64 demonstrations. */
function fill(directory: TemporaryDirectory): void {
  Deno.mkdirSync(directory.file("model"));
  const model = join(projectRoot, "fixtures/stories260k");
  for (const { name } of Deno.readDirSync(model)) {
    Deno.copyFileSync(join(model, name), join(directory.file("model"), name));
  }
  const rows = Deno.readTextFileSync(join(projectRoot, "fixtures/quickstart/demos.jsonl")).split("\n");
  directory.write("demos.jsonl", rows.slice(0, 64).join("\n") + "\n");
}

async function soak(minutes: number): Promise<Sample[]> {
  using directory = new TemporaryDirectory();
  fill(directory);
  const server = await startServer(directory.path), samples: Sample[] = [], startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  try {
    for (let runs = 1; samples.length < 6 || seconds() < 60 * minutes; runs++) {
      await pass(server, directory.path, runs);
      samples.push({ seconds: seconds(), runs, ...measure(server) });
    }
  } finally {
    server.child.kill("SIGTERM");
    await server.child.status;
  }
  return samples;
}

/** Returns some samples in equal distances, the first and the last among them, as a table. */
function tableOf(samples: readonly Sample[]): string {
  const table = new Table({
    head: ["seconds", "runs", "memory", "descriptors"],
    style: { head: [], border: [] },
  });
  const rows = Math.min(ROWS, samples.length);
  for (let row = 0; row < rows; row++) {
    const { seconds, runs, bytes, descriptors } =
      samples[Math.round(row * (samples.length - 1) / (rows - 1))]!;
    table.push([seconds.toFixed(0), runs, mebibytes(bytes), descriptors]);
  }
  return table.toString();
}

async function main(args: readonly string[]): Promise<number> {
  const flags = readFlags(args, { strings: ["minutes"], maxWords: 0 });
  const minutes = flags.integer("minutes", { min: 1, max: 10_000 }, "5");
  flags.check();
  const samples = await soak(minutes!), { bytes, descriptors, problems } = growthOf(samples);
  console.log(tableOf(samples));
  console.log(
    `${samples.length} runs; medians of the first and the last third: memory ${
      bytes.map(mebibytes).join(", ")
    }, ` +
      `descriptors ${descriptors.join(", ")}`,
  );
  const allowed = `${100 * TOLERANCE.share} % or ${
    mebibytes(TOLERANCE.bytes)
  }, ${TOLERANCE.descriptors} descriptors`;
  console.log(problems.length === 0 ? `no growth beyond ${allowed}` : `FAILED: ${problems.join("; ")}`);
  return problems.length === 0 ? 0 : 1;
}

if (import.meta.main) await runCommand(main, HELP);
