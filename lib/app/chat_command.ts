/**
 * `deno task chat`: talk to a checkpoint, or to the models of a finished run, two side by side. It reads lines of standard input
 * and writes responses to standard output, so it works in a terminal and without one.
 * @module
 */
import { resolve } from "node:path";
import { configureRuntime } from "@/lib/compute/ort/runtime.ts";
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { printOut } from "@/lib/data/files/standard_output.ts";
import { runYielding } from "@/lib/model/train/event_loop.ts";
import { RewardModel } from "@/lib/model/reward/reward_model.ts";
import type { CompletionChoice } from "@/lib/model/serve/completion.ts";
import { Engine } from "@/lib/model/serve/engine.ts";
import { linesOf } from "@/lib/pipeline/engine/lines_of.ts";
import { paint } from "@/lib/report/ansi.ts";
import { type ChatModel, chatSources } from "./chat_models.ts";
import { type ChatEngine, ChatSession, type ChatSettings } from "./chat_session.ts";
import { runCommand, warn } from "./command.ts";
import { readFlags } from "./flags.ts";
import { workingDirectory } from "./parent.ts";

const HELP = `Talks to a model, or to two side by side.

Usage: deno task chat [DIR…] [flags]

  DIR                  model directory (one or two), or the directory of a finished run, whose SFT model and policy
                       respond side by side; default runs/quickstart
  --reward DIR         reward directory, for /reward; default that of the run
  --temperature X      sampling temperature, 0 to 2; 0: the most probable token; default 1
  --seed N             random seed; equal seeds give equal responses; default 0
  --system TEXT        system message; default none
  --max-tokens N       maximum tokens of a response; default 256
  --context N          tokens of a conversation; default 4096, at most the model's context
  --chat-template T    for models without their own: built-in name or .jinja file; default none, the text is continued
  --threads N          CPU threads; default all cores
  --verbose            print stack traces of errors
  --help               print this text

In the chat, /help lists the commands. Ctrl-C stops a response, Ctrl-D ends. Without a terminal, each line of standard
input is a message or a command.

Examples:
  deno task chat runs/quickstart
  echo 'Once upon a time' | deno task chat fixtures/stories260k --temperature 0
`;

/** The command line, checked. */
interface ChatFlags extends ChatSettings {
  readonly directories: readonly string[];
  readonly reward: string | undefined;
  readonly template: string | undefined;
  readonly context: number;
  readonly threads: number;
}

/** Reads the command line. @throws {UsageError} listing all invalid flags */
export function readChatFlags(args: readonly string[], cwd: string): ChatFlags {
  const strings = [
    "reward",
    "temperature",
    "seed",
    "system",
    "max-tokens",
    "context",
    "chat-template",
    "threads",
  ];
  const flags = readFlags(args, { strings, maxWords: 2 });
  const heat = flags.text("temperature"), temperature = heat === undefined || heat === "" ? 1 : Number(heat);
  if (!(temperature >= 0 && temperature <= 2)) {
    flags.problems.push(`--temperature must be from 0 to 2, got "${heat}"`);
  }
  const reward = flags.text("reward"), template = flags.text("chat-template");
  const read = {
    directories: (flags.words.length > 0 ? flags.words : ["runs/quickstart"]).map((word) =>
      resolve(cwd, word)
    ),
    reward: reward === undefined ? undefined : resolve(cwd, reward),
    template: template?.endsWith(".jinja") ? resolve(cwd, template) : template,
    temperature,
    seed: flags.integer("seed", { min: 0 }) ?? 0,
    system: flags.text("system") ?? "",
    maxTokens: flags.integer("max-tokens", { min: 1 }) ?? 256,
    context: flags.integer("context", { min: 2, max: 1e7 }) ?? 4096,
    threads: flags.integer("threads", { min: 1, max: 1024 }) ?? navigator.hardwareConcurrency,
  };
  flags.check();
  return read;
}

/** Milliseconds within which several SIGINT are one Ctrl-C: the terminal sends one, and `deno task` passes on its own. */
const SAME_PRESS_MS = 250;

/** Ends a chat that waits for a line at the second Ctrl-C; the first stops a response. */
function listenToInterrupts(session: ChatSession): void {
  let last = -Infinity, idle = 0;
  Deno.addSignalListener("SIGINT", () => {
    const now = performance.now(), isSame = now - last < SAME_PRESS_MS;
    last = now;
    if (isSame) return;
    if (session.interrupt()) idle = 0;
    else if (++idle === 2) Deno.exit(EXIT.ok);
    else warn("\nNothing to stop: press Ctrl-C again or Ctrl-D to end");
  });
}

/** Returns the function that computes the reward of each token of a response. */
function rewardsBy(
  directory: string,
  sft: string,
  bosId: number | null,
): (ids: NonNullable<CompletionChoice["ids"]>) => Promise<readonly number[]> {
  const reward = new RewardModel(directory);
  return async ({ prompt, response }) => {
    const responseIds = Int32Array.from(response);
    const row = {
      ...{ id: "chat", promptId: "chat", sample: 0, promptIds: Int32Array.from(prompt), responseIds },
      ...{
        logprobs: new Float32Array(response.length),
        logprobsT1: null,
        finishReason: "eos" as const,
        meta: "",
      },
    };
    const [scored] = await runYielding(reward.score([row], { sft: { path: sft }, bosId }));
    return Array.from(scored!.tokenRewards);
  };
}

async function loadEngine(
  model: ChatModel,
  { context, template }: ChatFlags,
): Promise<ChatEngine & { engine: Engine }> {
  const options = { slots: 1, tokens: context, template, clock: () => new Date() };
  return { ...model, engine: await Engine.load(model.directory, options) };
}

async function main(args: readonly string[]): Promise<number> {
  const cwd = workingDirectory(), flags = readChatFlags(args, cwd);
  const sources = chatSources(flags.directories, flags.reward);
  configureRuntime({ threads: flags.threads });
  const engines = await Promise.all(sources.models.map((model) => loadEngine(model, flags)));
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal(),
    [{ directory, engine }] = engines as [typeof engines[0]];
  const session = new ChatSession({
    engines,
    rewards: sources.reward === undefined
      ? undefined
      : rewardsBy(sources.reward, directory, engine.tokenizer.bosId),
    write: printOut,
    save(name, text) {
      const path = resolve(cwd, name);
      Deno.writeTextFileSync(path, text, { createNew: true });
      return path;
    },
    paint: paint(Deno.stdout.isTerminal() && !Deno.noColor),
    columns: () => isTerminal ? Deno.consoleSize().columns : undefined,
  }, { system: flags.system, seed: flags.seed, temperature: flags.temperature, maxTokens: flags.maxTokens });
  listenToInterrupts(session);
  const ask = () => isTerminal && printOut("> ");
  if (isTerminal) {
    const kinds = engines.map(({ name, engine }) =>
      `${name} (${engine.template ? "chat" : "continues text"})`
    );
    printOut(`${kinds.join(" and ")}. /help lists the commands\n`);
  }
  ask();
  for await (const line of linesOf(Deno.stdin.readable)) {
    if (!await session.take(line)) return EXIT.ok;
    ask();
  }
  return EXIT.ok;
}

if (import.meta.main) await runCommand(main, HELP);
