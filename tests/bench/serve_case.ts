/**
 * Tokens per second of the OpenAI-compatible server, compared with the offline generator in the same run: random weights, 32 clients
 * that each ask for a response of 128 tokens at the same time, whole and streamed. Both sides get the same prompts and threads.
 * @module
 */
import { join } from "node:path";
import { EXIT, UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { writePlainModel } from "@/lib/model/models/plain_checkpoint.ts";
import { Generator } from "@/lib/model/generate/generator.ts";
import { benchModel, randomIds, randomWeights, type ShapeName, SHAPES } from "./shapes.ts";
import { inTemporaryDirectory } from "./temporary_directory.ts";

/** What is measured. */
export interface ServeSpec {
  readonly shape: ShapeName;
  readonly clients: number;
  /** tokens of a response */
  readonly tokens: number;
  readonly threads: number;
  /** offline, whole and streamed responses are measured this often, in turn */
  readonly rounds: number;
}

/** Tokens per second in each round. */
export interface ServeResult extends ServeSpec {
  readonly offline: readonly number[];
  readonly whole: readonly number[];
  readonly streamed: readonly number[];
}

/** Tokens of a prompt. */
const PROMPT = 16;

/** Writes a checkpoint with random weights, and a tokenizer whose tokens are numbered words. */
function writeCheckpoint(directory: string, { shape, tokens }: ServeSpec): Generator {
  const size = SHAPES[shape], model = benchModel(size, PROMPT + tokens), parameters = randomWeights(model, 1);
  writePlainModel(directory, { model, parameters });
  const vocab = Object.fromEntries(Array.from({ length: size.vocab }, (_, id) => [`w${id}`, id]));
  const tokenizer = {
    version: "1.0",
    added_tokens: [],
    model: { type: "WordLevel", vocab, unk_token: "w0" },
  };
  Deno.writeTextFileSync(join(directory, "tokenizer.json"), JSON.stringify(tokenizer));
  return new Generator(model, parameters);
}

/** Starts the server on a free port. */
async function startServer(
  directory: string,
  { clients, threads }: ServeSpec,
): Promise<{ readonly address: string; readonly stop: () => Promise<void> }> {
  const flags = [
    "--port",
    "0",
    "--model",
    `m=${directory}`,
    "--max-sequences",
    `${clients}`,
    "--threads",
    `${threads}`,
  ];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "serve", ...flags],
    cwd: projectRoot,
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const stop = async () => {
    child.kill("SIGTERM");
    await child.status;
  };
  let text = "";
  for await (
    const part of child.stdout.pipeThrough(new TextDecoderStream()).values({ preventCancel: true })
  ) {
    const found = /on (http:\S+) /.exec(text += part);
    if (found) return { address: found[1]!, stop };
  }
  throw new UnavailableError(`The server must start, got ${text || `exit code ${EXIT.internal}`}`);
}

/** Requests one response and reads it completely. */
async function request(address: string, body: Record<string, unknown>): Promise<void> {
  const response = await fetch(`${address}/v1/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model: "m", ignore_eos: true, ...body }),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new UnavailableError(`The server must respond with status 200, got ${response.status}: ${text}`);
  }
}

/** Measures all rounds. @throws {UnavailableError} if the server does not start */
export async function benchServe(spec: ServeSpec): Promise<ServeResult> {
  const { shape, clients, tokens, rounds } = spec;
  return await inTemporaryDirectory(async (directory) => {
    const generator = writeCheckpoint(directory, spec);
    const prompts = Array.from({ length: clients }, (_, i) => randomIds(PROMPT, SHAPES[shape].vocab, i + 1));
    const { address, stop } = await startServer(directory, spec);
    const speed = async (work: () => unknown): Promise<number> => {
      const start = performance.now();
      await work();
      return Math.round(1000 * clients * tokens / (performance.now() - start) * 10) / 10;
    };
    const offline = (seed: number, onToken?: () => boolean) =>
      generator.generate({
        prompts: prompts.map((ids, i) => ({ id: `${i}`, ids })),
        ...{
          sampling: { temperature: 1 },
          maxNewTokens: tokens,
          onToken,
          eosIds: [],
          seed,
          batchSize: clients,
        },
      });
    const served = (seed: number, stream: boolean, most = tokens) =>
      Promise.all(
        prompts.map((ids, i) =>
          request(address, { prompt: Array.from(ids), max_tokens: most, seed: seed + i, stream })
        ),
      );
    const result = { offline: [] as number[], whole: [] as number[], streamed: [] as number[] };
    try {
      offline(0, () => true); // compiles for the full length
      await served(0, false, 2);
      for (let round = 1; round <= rounds; round++) {
        result.offline.push(await speed(() => offline(round)));
        result.whole.push(await speed(() => served(100 * round, false)));
        result.streamed.push(await speed(() => served(100 * round, true)));
      }
    } finally {
      await stop();
    }
    return { ...spec, ...result };
  });
}

/** Returns the lines of a result. */
export function serveLines(
  { shape, clients, tokens, threads, offline, whole, streamed }: ServeResult,
): string {
  const ratio = (found: readonly number[]) => found.map((x, i) => (x / offline[i]!).toFixed(2)).join(", ");
  return [
    `serve ${shape}, ${clients} clients, ${tokens} tokens each, ${threads} threads; tokens/s per round:`,
    `  offline generator   ${offline.join(", ")}`,
    `  server              ${whole.join(", ")}; of offline ${ratio(whole)}`,
    `  server, streaming   ${streamed.join(", ")}; of offline ${ratio(streamed)}`,
  ].join("\n");
}
