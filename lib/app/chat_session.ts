/**
 * One chat: settings, history of each model, and what a line of input does. It reads and writes through functions, so that it works
 * with and without a terminal.
 * @module
 */
import { escapeControls } from "@/lib/compute/tensor/control_characters.ts";
import type { ChatModel } from "./chat_models.ts";
import { rewardLine, sideBySide, type TokenReward } from "./chat_text.ts";
import type { Message } from "@/lib/data/text/chat_template.ts";
import type { CompletionChoice, CompletionRequest } from "@/lib/model/serve/completion.ts";
import type { Engine } from "@/lib/model/serve/engine.ts";
import type { Paint } from "@/lib/report/ansi.ts";

/** A loaded model of the chat. */
export interface ChatEngine extends ChatModel {
  readonly engine: Pick<Engine, "complete" | "template" | "textOf">;
}

/** What a chat needs. */
export interface ChatWorld {
  readonly engines: readonly ChatEngine[];
  /** returns the reward of each token of a response; undefined: there is no reward */
  readonly rewards: ((ids: NonNullable<CompletionChoice["ids"]>) => Promise<readonly number[]>) | undefined;
  readonly write: (text: string) => void;
  /** writes a file and returns its path */
  readonly save: (name: string, text: string) => string;
  readonly paint: Paint;
  /** width of the terminal; undefined: none, responses are written below each other */
  readonly columns: () => number | undefined;
}

/** Settings that commands change. */
export interface ChatSettings {
  readonly system: string;
  readonly seed: number;
  readonly temperature: number;
  /** most tokens of a response; null: as many as fit */
  readonly maxTokens: number | null;
}

interface Turn {
  readonly user: string;
  /** by model */
  readonly responses: readonly string[];
}

/** Commands, as /help shows them. */
const COMMANDS = `/reward            reward of each token of the last responses
/more              continue the last responses
/system TEXT       system message, from the next line on; without TEXT none
/seed N            random seed; equal seeds give equal responses
/temperature X     0: always the most probable token
/tokens N          maximum number of tokens of a response
/history           the conversation so far
/reset             forget the conversation
/save FILE         write the conversation as JSON
/help              this text
/quit              end, as Ctrl-D does; Ctrl-C stops a response
A line that begins with // is sent with one / less.
`;

/** A chat with one or two models. */
export class ChatSession {
  #turns: Turn[] = [];
  #last: readonly CompletionChoice[] = [];
  #stop: AbortController | undefined;

  constructor(readonly world: ChatWorld, private settings: ChatSettings) {}

  /** Stops the response in progress. @returns whether there was one */
  interrupt(): boolean {
    if (!this.#stop) return false;
    this.#stop.abort();
    return true;
  }

  /** Does what a line says: runs a command, or sends a message. @returns whether the chat continues */
  async take(line: string): Promise<boolean> {
    const command = /^\/(?!\/)(\S*)\s*(.*)$/s.exec(line);
    if (line.trim() === "") return true;
    try {
      if (!command) await this.#send(line.replace(/^\/\//, "/"));
      else if (command[1] === "quit" || command[1] === "exit") return false;
      else await this.#run(command[1]!, command[2]!.trim());
    } catch (error) {
      this.world.write(`${escapeControls(error instanceof Error ? error.message : String(error))}\n`);
    }
    return true;
  }

  async #run(name: string, value: string): Promise<void> {
    const { write, save } = this.world;
    if (name === "help") return write(COMMANDS);
    if (name === "reward") return await this.#showRewards();
    if (name === "more") return await this.#more();
    if (name === "history") return write(this.#historyText());
    if (name === "reset") {
      this.#turns = [];
      this.#last = [];
      return write("The conversation is empty\n");
    }
    if (name === "save") {
      if (value === "") return write("/save requires the name of a file, got none\n");
      const conversation = this.#turns.map(({ user, responses }) => {
        return {
          user,
          responses: Object.fromEntries(this.world.engines.map(({ name }, i) => [name, responses[i]])),
        };
      });
      const models = Object.fromEntries(this.world.engines.map(({ name, directory }) => [name, directory]));
      const text = JSON.stringify({ models, settings: this.settings, conversation }, null, 2) + "\n";
      return write(`Saved ${this.#turns.length} turns in ${save(value, text)}\n`);
    }
    const setting = settingOf(name, value);
    if (setting === undefined) return write(`Unknown command /${name}, see /help\n`);
    if (typeof setting === "string") return write(`${setting}\n`);
    this.settings = { ...this.settings, ...setting };
    const [[key, changed]] = Object.entries(setting) as [[string, unknown]];
    write(`${key === "maxTokens" ? "tokens" : key} is ${changed === "" ? "empty" : changed}\n`);
  }

  /** Sends a message to all models. */
  async #send(user: string): Promise<void> {
    const texts = await this.#complete((i) => {
      const { engine } = this.world.engines[i]!;
      if (!engine.template) return { prompts: [user] };
      const { system } = this.settings;
      const before = this.#turns.flatMap((turn): Message[] => [
        { role: "user", content: turn.user },
        { role: "assistant", content: turn.responses[i] ?? "" },
      ]);
      const first: Message[] = system === "" ? [] : [{ role: "system", content: system }];
      return { messages: [...first, ...before, { role: "user", content: user }] };
    });
    if (texts) this.#turns.push({ user, responses: texts });
  }

  /** Continues the last responses. */
  async #more(): Promise<void> {
    const turn = this.#turns.at(-1), choices = this.#last;
    if (!turn || choices.length === 0) return this.world.write("There is no response to continue\n");
    const texts = await this.#complete((i) => {
      const { prompt, response } = choices[i]!.ids!;
      return { prompts: [[...prompt, ...response]] };
    });
    if (!texts) return;
    this.#turns[this.#turns.length - 1] = {
      ...turn,
      responses: turn.responses.map((text, i) => text + texts[i]!),
    };
  }

  /** Completes a prompt with every model at the same time. @returns the responses; undefined if one was stopped or failed */
  async #complete(
    promptOf: (model: number) => Pick<CompletionRequest, "prompts" | "messages">,
  ): Promise<readonly string[] | undefined> {
    const { engines, write, columns, paint } = this.world, { temperature, seed, maxTokens } = this.settings;
    const stop = this.#stop = new AbortController(), streams = engines.length === 1;
    const heard = engines.map(() => "");
    try {
      const completions = await Promise.allSettled(engines.map(({ engine }, i) =>
        engine.complete({
          ...promptOf(i),
          ...{ n: 1, sampling: { temperature }, maxTokens, stops: [], seed, logprobs: null },
          ...{ echo: false, ignoreEos: false, stream: true, returnIds: true },
        }, {
          signal: stop.signal,
          onPart: ({ text }) => {
            heard[i] += text;
            if (streams) write(text);
          },
        })
      ));
      if (streams) write("\n");
      const failed = completions.find(({ status }) => status === "rejected") as
        | PromiseRejectedResult
        | undefined;
      if (failed && !stop.signal.aborted) throw failed.reason;
      if (!streams) this.#show(heard, columns(), paint);
      if (failed) return void write("(stopped)\n");
      this.#last = completions.flatMap((done) => done.status === "fulfilled" ? done.value.choices : []);
      return this.#last.map(({ text }) => text);
    } finally {
      this.#stop = undefined;
    }
  }

  /** Shows the responses of several models. */
  #show(texts: readonly string[], columns: number | undefined, paint: Paint): void {
    const named = this.world.engines.map(({ name }, i) => ({ name, text: texts[i]! }));
    if (columns !== undefined && columns >= 60) return this.world.write(sideBySide(named, columns, paint));
    for (const { name, text } of named) this.world.write(`${paint.bold(`${name}>`)} ${text.trim()}\n`);
  }

  async #showRewards(): Promise<void> {
    const { rewards, engines, write, paint } = this.world;
    if (!rewards) {
      return write("There is no reward: start with the directory of a finished run, or with --reward DIR\n");
    }
    if (this.#last.length === 0) return write("There is no response yet\n");
    for (const [i, { ids }] of this.#last.entries()) {
      const { name, engine } = engines[i]!, values = await rewards(ids!);
      const tokens = ids!.response.map((id, t): TokenReward => ({
        text: engine.textOf(id),
        reward: values[t]!,
      }));
      write(`${paint.bold(`${name}>`)} ${rewardLine(tokens, paint)}`);
    }
  }

  #historyText(): string {
    if (this.#turns.length === 0) return "The conversation is empty\n";
    return this.#turns.map(({ user, responses }) => {
      const lines = responses.map((text, i) => `${this.world.engines[i]!.name}> ${text.trim()}\n`);
      return `you> ${user}\n${lines.join("")}`;
    }).join("");
  }
}

/** Returns the setting of a command, what is wrong with its value, or undefined for another command. */
function settingOf(name: string, value: string): Partial<ChatSettings> | string | undefined {
  if (name === "system") return { system: value };
  const number = value === "" ? NaN : Number(value);
  if (name === "seed") {
    return Number.isSafeInteger(number) && number >= 0
      ? { seed: number }
      : `/seed must be an integer ≥ 0, got "${value}"`;
  }
  if (name === "temperature") {
    return number >= 0 && number <= 2
      ? { temperature: number }
      : `/temperature must be from 0 to 2, got "${value}"`;
  }
  if (name === "tokens") {
    return Number.isSafeInteger(number) && number >= 1
      ? { maxTokens: number }
      : `/tokens must be an integer ≥ 1, got "${value}"`;
  }
  return undefined;
}
