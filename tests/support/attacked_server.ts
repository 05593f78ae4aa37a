/**
 * A server in this process with one stage and one file of training rows, for attacks; and requests whose every byte the
 * attack chooses, as `fetch()` neither sends a foreign `Host` nor leaves out other headers.
 * @module
 */
import { join } from "node:path";
import { z } from "zod";
import { serve } from "@/lib/app/serve_command.ts";
import { defineStage, type Stage } from "@/lib/data/contracts/stage.ts";
import { runTask } from "@/lib/pipeline/engine/task.ts";
import type { TemporaryDirectory } from "./temporary_directory.ts";

const FILE = { contract: "file", description: "a text" } as const;

/**
 * Reports its first input, as stages do in messages about data, and writes it as a file and as a directory. Fails with the
 * paths of its files if the text is `fail`.
 */
export const copyStage = defineStage({
  id: "copy",
  summary: "Copies",
  params: z.strictObject({}),
  inputs: {
    text: { ...FILE, many: "list" },
    model: { contract: "model", description: "a model", optional: true },
  },
  outputs: { copy: FILE, folder: { contract: "model", description: "the same" } },
  random: false,
  async run({ inputs, outputs, progress, scratch }) {
    const from = Object.values(inputs.text)[0]!, text = await Deno.readTextFile(from);
    progress({ message: text });
    if (text.startsWith("fail")) {
      throw new Error(`No space: ${from}, ${outputs.copy}, (${scratch}) and ${Deno.execPath()} ${text}`);
    }
    await Deno.writeTextFile(outputs.copy!, text);
    await Deno.mkdir(outputs.folder!);
    await Deno.writeTextFile(join(outputs.folder!, "text"), text);
  },
}) as unknown as Stage;

/** A valid request for the stage. */
export const COPY_REQUEST = {
  inputs: { text: ["rows.txt"] },
  outputs: { copy: "copy.txt", folder: "folder" },
} as const;

/** Settings of an attacked server. */
export interface AttackedSettings {
  readonly token?: string;
  readonly allowedOrigins?: readonly string[];
  /** called when the stage has written its outputs, before they are moved */
  readonly meanwhile?: () => void;
}

/** Starts the server on a free port, calls `attack` with it and the data root, and stops the server. */
export async function withAttackedServer(
  dir: TemporaryDirectory,
  attack: (port: number, data: string, log: readonly string[]) => Promise<void>,
  settings: AttackedSettings = {},
): Promise<void> {
  const data = dir.file("data"), log: string[] = [];
  Deno.mkdirSync(data);
  Deno.writeTextFileSync(join(data, "rows.txt"), "a private row");
  const stop = new AbortController();
  const started = Promise.withResolvers<number>();
  const ended = serve({
    allowModules: false,
    grace: 25,
    keepEnv: [],
    data,
    host: "127.0.0.1",
    port: 0,
    threads: 1,
    cores: 1,
    maxBodyBytes: 1 << 20,
    allowedHosts: [],
    allowedOrigins: settings.allowedOrigins ?? [],
  }, {
    stages: { list: () => Promise.resolve([copyStage.id]), load: () => Promise.resolve(copyStage) },
    executor: {
      name: "inline",
      parallel: true,
      sharesMemory: false,
      run: async (task, control) => {
        await runTask(copyStage, task, control);
        settings.meanwhile?.();
      },
    },
    token: settings.token,
    stop: stop.signal,
    print: (line) => {
      log.push(line);
      const port = /^Serving .* on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port !== undefined) started.resolve(Number(port));
    },
  });
  try {
    await attack(await started.promise, data, log);
  } finally {
    stop.abort();
    await ended;
  }
}

/** Sends text to the port and returns everything that comes back until the connection ends. */
export async function exchange(port: number, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(text));
  return await new Response(connection.readable).text().catch((error) => `closed: ${error.message}`);
}

/** Sends a request with exactly these headers, and returns status, headers and body as they arrive. */
export async function sendRaw(
  port: number,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = "",
): Promise<{ readonly status: number; readonly text: string }> {
  const all = { "Connection": "close", "Content-Length": String(body.length), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = await exchange(port, `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
  return { status: Number(text.split(" ")[1]), text };
}

/** Sends a request for the stage as the server's own page would. */
export async function sendCopy(
  port: number,
  request: unknown,
): Promise<{ readonly status: number; readonly text: string }> {
  const headers = { "Host": `127.0.0.1:${port}`, "Content-Type": "application/json" };
  return await sendRaw(port, "POST", "/stages/copy", headers, JSON.stringify(request));
}
