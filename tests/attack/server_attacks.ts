/** Attacks on the HTTP server: by web pages, by slow and greedy clients, and by requests that name harmful locations. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import { serve } from "@/lib/app/serve_command.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { defineStage, type Stage } from "@/lib/data/contracts/stage.ts";
import { runTask } from "@/lib/pipeline/engine/task.ts";
import type { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import type { Attack } from "./attack.ts";

const FILE = { contract: "file", description: "a text" } as const;

/** Reports the first row of its input, as stages do in messages about data, and copies the input. */
const copy = defineStage({
  id: "copy",
  summary: "Copies",
  params: z.strictObject({}),
  inputs: { text: { ...FILE, many: "list" } },
  outputs: { copy: FILE },
  random: false,
  async run({ inputs, outputs, progress }) {
    const text = await Deno.readTextFile(Object.values(inputs.text)[0]!);
    progress({ message: text });
    await Deno.writeTextFile(outputs.copy!, text);
  },
}) as unknown as Stage;

const BODY = JSON.stringify({ inputs: { text: ["rows.txt"] }, outputs: { copy: "copy.txt" } });

/** Starts the server on a free port with one file of training rows, calls `attack`, and stops the server. */
async function withServer(
  dir: TemporaryDirectory,
  attack: (port: number, data: string) => Promise<void>,
  settings: { readonly token?: string; readonly allowedOrigins?: readonly string[] } = {},
): Promise<void> {
  const data = dir.file("data");
  Deno.mkdirSync(data);
  Deno.writeTextFileSync(`${data}/rows.txt`, "a private row");
  const stop = new AbortController();
  const started = Promise.withResolvers<number>();
  const ended = serve({
    data,
    host: "127.0.0.1",
    port: 0,
    threads: 1,
    cores: 1,
    maxBodyBytes: 1 << 20,
    allowedHosts: [],
    allowedOrigins: settings.allowedOrigins ?? [],
  }, {
    stages: { list: () => Promise.resolve([copy.id]), load: () => Promise.resolve(copy) },
    executor: {
      name: "inline",
      parallel: true,
      sharesMemory: false,
      run: (task, control) => runTask(copy, task, control),
    },
    token: settings.token,
    stop: stop.signal,
    print: (line) => {
      const port = /^Serving .* on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port !== undefined) started.resolve(Number(port));
    },
  });
  try {
    await attack(await started.promise, data);
  } finally {
    stop.abort();
    await ended;
  }
}

/** Sends text to the port and returns everything that comes back until the connection ends. */
async function exchange(port: number, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(text));
  return await new Response(connection.readable).text().catch((error) => `closed: ${error.message}`);
}

/** Sends a request with exactly these headers, and returns status, headers and body as they arrive. */
async function send(
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

const JSON_TYPE = { "Content-Type": "application/json" };

/** All attacks on the server. */
export const attacks: readonly Attack[] = [
  {
    name: "a web page cannot start a stage with a text/plain POST, which needs no preflight",
    run: (dir) =>
      withServer(dir, async (port, data) => {
        const host = { "Host": `127.0.0.1:${port}` };
        for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
          const page = { ...host, "Origin": "http://evil.example", "Content-Type": type };
          assertEquals((await send(port, "POST", "/stages/copy", page, BODY)).status, 403);
          const noOrigin = { ...host, "Content-Type": type };
          assertEquals((await send(port, "POST", "/stages/copy", noOrigin, BODY)).status, 415);
        }
        assertEquals((await send(port, "POST", "/stages/copy", host, BODY)).status, 415);
        const sandboxed = { ...host, ...JSON_TYPE, "Origin": "null" };
        assertEquals((await send(port, "POST", "/stages/copy", sandboxed, BODY)).status, 403);
        assertEquals([...Deno.readDirSync(data)].map(({ name }) => name), ["rows.txt"]);
        const own = { ...host, ...JSON_TYPE, "Origin": `http://127.0.0.1:${port}` };
        assertEquals((await send(port, "POST", "/stages/copy", own, BODY)).status, 200);
      }),
  },
  {
    name: "a page whose domain is pointed at this machine (DNS rebinding) cannot read training rows",
    run: (dir) =>
      withServer(dir, async (port) => {
        const hosts = [
          `evil.example:${port}`,
          `127.0.0.1.evil.example:${port}`,
          `localhost.:${port}`,
          `127.0.0.1:${port}@evil.example`,
          `127.0.0.1:${port + 1}`,
          "127.0.0.1",
          "",
        ];
        for (const host of hosts) {
          const page = { "Host": host, ...JSON_TYPE, "Origin": `http://${host}` };
          const { status, text } = await send(port, "POST", "/stages/copy", page, BODY);
          assertEquals([host, status], [host, 403]);
          assert(!text.includes("private row"));
          assertEquals((await send(port, "GET", "/stages", { "Host": host })).status, 403);
        }
        assertEquals((await send(port, "GET", "/healthz", { "Host": "evil.example" })).status, 200);
        const mine = { "Host": `localhost:${port}`, ...JSON_TYPE };
        const { text } = await send(port, "POST", "/stages/copy", mine, BODY);
        assert(text.includes("a private row") && text.includes("event: finished"));
      }),
  },
  {
    name: "a page of an allowed origin needs the token, and other origins are refused with it",
    run: (dir) =>
      withServer(dir, async (port) => {
        const allowed = { "Host": `127.0.0.1:${port}`, "Origin": "https://app.example" };
        const bearer = { "Authorization": "Bearer open" };
        const preflight = await send(port, "OPTIONS", "/stages/copy", allowed);
        assertEquals(preflight.status, 204);
        assert(/access-control-allow-origin: https:\/\/app\.example\r\n/i.test(preflight.text));
        assertEquals((await send(port, "GET", "/stages", allowed)).status, 401);
        const fine = await send(port, "GET", "/stages", { ...allowed, ...bearer });
        assertEquals(fine.status, 200);
        assert(/access-control-allow-origin: https:\/\/app\.example\r\n/i.test(fine.text));
        const other = { ...allowed, ...bearer, "Origin": "https://app.example.evil.example" };
        const refused = await send(port, "GET", "/stages", other);
        assertEquals(refused.status, 403);
        assert(!/access-control/i.test(refused.text));
        assertEquals((await send(port, "OPTIONS", "/stages/copy", other)).status, 403);
      }, { token: "open", allowedOrigins: ["https://app.example"] }),
  },
  {
    name: "every response, errors included, forbids caching and guessing its type",
    run: (dir) =>
      withServer(dir, async (port) => {
        const host = { "Host": `127.0.0.1:${port}` };
        const responses = await Promise.all([
          send(port, "GET", "/healthz", host),
          send(port, "GET", "/nothing", host),
          send(port, "GET", "/stages", { "Host": "evil.example" }),
          send(port, "POST", "/stages/copy", { ...host, ...JSON_TYPE }, BODY),
          exchange(port, "no request\r\n\r\n").then((text) => ({ status: 0, text })),
          exchange(port, `GET / HTTP/1.1\r\nA: ${"x".repeat(40_000)}\r\n\r\n`).then((text) => ({
            status: 0,
            text,
          })),
        ]);
        for (const { text } of responses) {
          assert(/\r\nx-content-type-options: nosniff\r\n/i.test(text), text);
          assert(/\r\ncache-control: no-store\r\n/i.test(text), text);
        }
      }),
  },
  {
    name: "a server that other machines reach does not start with a token that can be guessed, nor shows it",
    run: async (dir) => {
      for (const token of ["secret", "x".repeat(31)]) {
        const flags = { data: dir.path, host: "0.0.0.0", port: 0, threads: 1, cores: 1, maxBodyBytes: 1000 };
        const stages = { list: () => Promise.resolve([]), load: () => Promise.resolve(copy) };
        const executor = {
          name: "inline",
          parallel: true,
          sharesMemory: false,
          run: () => Promise.resolve(),
        } as const;
        const world = { stages, executor, token, stop: AbortSignal.abort(), print: () => {} };
        const error = await assertRejects(
          () => serve({ ...flags, allowedHosts: [], allowedOrigins: [] }, world),
          UsageError,
        );
        assert(!error.message.includes(token));
      }
    },
  },
  {
    name: "clients that send a request byte by byte are disconnected after 10 s",
    slow: true,
    run: (dir) =>
      withServer(dir, async (port) => {
        const connections = await Promise.all(
          Array.from({ length: 20 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
        );
        const deadline = setTimeout(() => connections.forEach((each) => each.close()), 60_000);
        const dripping = setInterval(() => {
          for (const each of connections) each.write(new TextEncoder().encode("A: b\r\n")).catch(() => {});
        }, 1000);
        const ends = await Promise.all(connections.map(async (each) => {
          await each.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\n")).catch(() => {});
          return await new Response(each.readable).text().catch((error) => `closed: ${error.message}`);
        }));
        clearTimeout(deadline);
        clearInterval(dripping);
        for (const end of ends) assert(end.startsWith("HTTP/1.1 408"), end);
      }),
  },
];
