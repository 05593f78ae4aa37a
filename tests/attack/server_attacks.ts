/** Attacks on the HTTP server by web pages, by clients without a token, and by slow clients. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { serve } from "@/lib/app/serve_command.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import {
  COPY_REQUEST,
  copyStage,
  exchange,
  sendRaw as send,
  withAttackedServer as withServer,
} from "@/tests/support/attacked_server.ts";
import type { Attack } from "./attack.ts";

const BODY = JSON.stringify(COPY_REQUEST);
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
        const stages = { list: () => Promise.resolve([]), load: () => Promise.resolve(copyStage) };
        const executor = {
          name: "inline",
          parallel: true,
          sharesMemory: false,
          run: () => Promise.resolve(),
        } as const;
        const world = { stages, executor, token, stop: AbortSignal.abort(), print: () => {} };
        const error = await assertRejects(
          () =>
            serve({
              ...flags,
              allowedHosts: [],
              allowedOrigins: [],
              allowModules: false,
              grace: 25,
              keepEnv: [],
            }, world),
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
