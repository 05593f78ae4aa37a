import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { z } from "zod";
import { defineStage, type Stage } from "@/lib/data/contracts/stage.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { readServeFlags, serve, type ServeFlags, type ServeWorld } from "./serve_command.ts";

async function withWorld(
  test: (
    flags: ServeFlags & { data: string },
    world: ServeWorld,
    lines: string[],
    stop: () => void,
  ) => Promise<void>,
) {
  const data = await Deno.makeTempDir();
  const controller = new AbortController();
  const lines: string[] = [];
  const world: ServeWorld = {
    stages: {
      list: () => Promise.resolve([]),
      load: () => Promise.reject(new Error("not called")),
    },
    executor: {
      name: "inline",
      parallel: false,
      sharesMemory: false,
      run: () => Promise.reject(new Error("not called")),
    },
    stop: controller.signal,
    print: (line) => lines.push(line),
  };
  const flags = {
    data,
    host: "127.0.0.1",
    port: 0,
    threads: 1,
    cores: 2,
    maxBodyBytes: 1000,
    allowedHosts: [],
    allowedOrigins: [],
    allowModules: false,
    grace: 25,
    keepEnv: [],
  };
  try {
    await test(flags, world, lines, () => controller.abort());
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

Deno.test("readServeFlags() takes flags, PORT and defaults", () => {
  const all = navigator.hardwareConcurrency;
  const defaults = {
    data: undefined,
    host: "127.0.0.1",
    port: 8000,
    threads: all,
    cores: all,
    maxBodyBytes: 1 << 20,
    allowedHosts: [],
    allowedOrigins: [],
    allowModules: false,
    grace: 25,
    keepEnv: [],
  };
  assertEquals(readServeFlags([], {}), defaults);
  assertEquals(readServeFlags(["--allow-modules"], {}), { ...defaults, allowModules: true });
  assertEquals(readServeFlags([], { PORT: "9000" }), { ...defaults, port: 9000 });
  assertEquals(
    readServeFlags(["--port", "0", "--data=d", "--threads", "1", "--max-body", "5"], { PORT: "9000" }),
    {
      ...defaults,
      port: 0,
      data: "d",
      threads: 1,
      maxBodyBytes: 5,
    },
  );
});

Deno.test("readServeFlags() takes addresses to listen on", () => {
  for (const host of ["0.0.0.0", "::1", "::", "127.0.0.2"]) {
    assertEquals(readServeFlags(["--host", host], {}).host, host);
  }
  assertEquals(readServeFlags(["--host", "localhost"], {}).host, "127.0.0.1");
  for (const host of ["example", "[::1]", "127.1", ""]) {
    const error = assertThrows(() => readServeFlags([`--host=${host}`], {}), UsageError);
    assertEquals(
      error.message,
      `Invalid flags (see --help): --host must be an IP address or localhost, got "${host}"`,
    );
  }
});

Deno.test("readServeFlags() takes the limits of a run and the names of its variables", () => {
  const args = ["--timeout=60", "--grace=5", "--keep-env=A", "--keep-env=B"];
  const { timeout, grace, keepEnv } = readServeFlags(args, {});
  assertEquals({ timeout, grace, keepEnv }, { timeout: 60, grace: 5, keepEnv: ["A", "B"] });
  const error = assertThrows(() => readServeFlags(["--timeout=0", "--keep-env=LD_PRELOAD"], {}), UsageError);
  assertEquals(
    error.message,
    'Invalid flags (see --help): --timeout must be an integer from 1 to 1000000, got "0"; ' +
      '--keep-env must not begin with LD_ or DYLD_, got "LD_PRELOAD"',
  );
});

Deno.test("readServeFlags() takes hosts with their ports and nothing else", () => {
  const args = ["Judge.example:443", "[::1]:8000", "10.0.0.7:80"].flatMap((host) => ["--allow-host", host]);
  assertEquals(readServeFlags(args, {}).allowedHosts, ["judge.example:443", "[::1]:8000", "10.0.0.7:80"]);
  const bad = [
    "judge.example",
    "*.example:80",
    "*:80",
    "http://a:80",
    "a:80/x",
    "u@a:80",
    "a,b:80",
    "a:99999",
  ];
  const error = assertThrows(
    () => readServeFlags(bad.map((host) => `--allow-host=${host}`), {}),
    UsageError,
  );
  assertEquals(
    error.message,
    `Invalid flags (see --help): --allow-host must be HOST:PORT, got ${
      bad.map((host) => `"${host}"`).join(", ")
    }`,
  );
});

Deno.test("readServeFlags() takes origins of web pages and nothing else", () => {
  const good = ["https://app.example", "http://localhost:3000"];
  assertEquals(
    readServeFlags(good.map((origin) => `--allow-origin=${origin}`), {}).allowedOrigins,
    good,
  );
  const bad = ["*", "null", "app.example", "https://app.example/", "https://App.example", "file:///x"];
  const error = assertThrows(
    () => readServeFlags(bad.map((origin) => `--allow-origin=${origin}`), {}),
    UsageError,
  );
  const got = bad.map((origin) => `"${origin}"`).join(", ");
  assertEquals(
    error.message,
    `Invalid flags (see --help): --allow-origin must be an origin such as https://app.example, got ${got}`,
  );
});

Deno.test("readServeFlags() lists every invalid flag", () => {
  const error = assertThrows(
    () => readServeFlags(["extra", "--port", "x", "--threads", "0", "--tokens"], {}),
    UsageError,
  );
  assertEquals(
    error.message,
    "Invalid flags (see --help): unknown flag --tokens; expected no arguments, got extra; " +
      '--port must be an integer from 0 to 65535, got "x"; --threads must be an integer from 1 to 1024, got "0"',
  );
});

Deno.test("serve() listens, responds, and ends with 0 when it is stopped without runs", () =>
  withWorld(async (flags, world, lines, stop) => {
    const ended = serve(flags, world);
    while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    const address = lines[0]!.match(/http:\S+/)![0];
    assertEquals(lines, [`Serving 0 stages on ${address} with files below ${Deno.realPathSync(flags.data)}`]);
    const response = await fetch(`${address}/healthz`);
    assertEquals(await response.json(), { status: "ok", running: 0, slots: 2 });

    const port = Number(new URL(address).port);
    const taken = await assertRejects(() => serve({ ...flags, port }, world), UsageError);
    assertEquals(
      taken.message,
      `Port ${port} of 127.0.0.1 is in use by another process`,
    );
    stop();
    assertEquals(await ended, 0);
  }));

Deno.test("serve() requires a token for other machines, and a data root", () =>
  withWorld(async (flags, world) => {
    const open = await assertRejects(() => serve({ ...flags, host: "0.0.0.0" }, world), UsageError);
    assertEquals(
      open.message,
      "--host 0.0.0.0 requires a token of at least 32 characters, as other machines may reach it: SRPPO_TOKEN is not set",
    );
    const short = await assertRejects(
      () => serve({ ...flags, host: "0.0.0.0" }, { ...world, token: "secret" }),
      UsageError,
    );
    assertEquals(
      short.message,
      "--host 0.0.0.0 requires a token of at least 32 characters, as other machines may reach it: " +
        "SRPPO_TOKEN has 6 characters",
    );
    const pages = await assertRejects(
      () => serve({ ...flags, allowedOrigins: ["https://app.example"] }, world),
      UsageError,
    );
    assertEquals(pages.message, "--allow-origin requires a token: SRPPO_TOKEN is not set");
    const none = await assertRejects(
      () => serve({ ...flags, data: `${flags.data}/none` }, world),
      UsageError,
    );
    assertEquals(
      none.message,
      `The data root must be a directory, got "${flags.data}/none"`,
    );
  }));

Deno.test("serve() allows requests to name the hosts of --allow-host and no others", () =>
  withWorld(async (flags, world, lines, stop) => {
    const ask = defineStage({
      id: "ask",
      summary: "Asks",
      params: z.strictObject({ judge_url: z.string() }),
      inputs: {},
      outputs: { said: { contract: "file", description: "the answer" } },
      random: false,
      run: () => Promise.resolve(),
    }) as unknown as Stage;
    const asked = serve({ ...flags, allowedHosts: ["judge.example:80"] }, {
      ...world,
      stages: { list: () => Promise.resolve([ask.id]), load: () => Promise.resolve(ask) },
    });
    while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    const address = lines[0]!.match(/http:\S+/)![0];
    const statusOf = async (judge_url: string) => {
      const body = JSON.stringify({ params: { judge_url }, outputs: { said: "said" } });
      const response = await fetch(`${address}/stages/ask`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body,
      });
      await response.text();
      return response.status;
    };
    assertEquals(await statusOf("http://judge.example/"), 200);
    assertEquals(await statusOf("http://other.example/"), 400);
    stop();
    assertEquals(await asked, 0);
  }));
