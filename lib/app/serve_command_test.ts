import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { z } from "zod";
import { defineStage, type Stage } from "@/lib/contracts/stage.ts";
import { UsageError } from "@/lib/tensor/errors.ts";
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
    listStages: () => Promise.resolve([]),
    loadStage: () => Promise.reject(new Error("never asked")),
    executor: {
      name: "inline",
      parallel: false,
      sharesMemory: false,
      run: () => Promise.reject(new Error("never asked")),
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
  };
  assertEquals(readServeFlags([], {}), defaults);
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
  assertEquals(readServeFlags(["--help"], {}), undefined);
});

Deno.test("readServeFlags() takes hosts with their ports, and nothing that would open more", () => {
  const args = ["Judge.example:443", "[::1]:8000", "10.0.0.7:80"].flatMap((host) => ["--allow-host", host]);
  assertEquals(readServeFlags(args, {})?.allowedHosts, ["judge.example:443", "[::1]:8000", "10.0.0.7:80"]);
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
    `Cannot serve as the flags must be right: ${
      bad.map((host) => `--allow-host is "${host}", not HOST:PORT`).join("; ")
    }`,
  );
});

Deno.test("readServeFlags() names every wrong flag", () => {
  const error = assertThrows(
    () => readServeFlags(["extra", "--port", "x", "--threads", "0", "--tokens"], {}),
    UsageError,
  );
  assertEquals(
    error.message,
    "Cannot serve as the flags must be right: unknown argument extra; unknown argument --tokens; " +
      '--port is "x", not a whole number from 0 to 65535; --threads is "0", not a whole number from 1 to 1024',
  );
});

Deno.test("serve() listens, answers, and ends with 0 when it is stopped at rest", () =>
  withWorld(async (flags, world, lines, stop) => {
    const ended = serve(flags, world);
    while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    const address = lines[0]!.match(/http:\S+/)![0];
    assertEquals(lines, [`Serving 0 stages on ${address} with files below ${Deno.realPathSync(flags.data)}`]);
    const answer = await fetch(`${address}/healthz`);
    assertEquals(await answer.json(), { status: "ok", running: 0, slots: 2 });

    const port = Number(new URL(address).port);
    const taken = await assertRejects(() => serve({ ...flags, port }, world), UsageError);
    assertEquals(
      taken.message,
      `Cannot serve on 127.0.0.1:${port} as the port must be free: another process listens there`,
    );
    stop();
    assertEquals(await ended, 0);
  }));

Deno.test("serve() opens no door to others without a token, and wants a data root", () =>
  withWorld(async (flags, world) => {
    const open = await assertRejects(() => serve({ ...flags, host: "0.0.0.0" }, world), UsageError);
    assertEquals(
      open.message,
      "Cannot serve on 0.0.0.0 as others may reach it and a token must be set: SRPPO_TOKEN is not set",
    );
    const none = await assertRejects(
      () => serve({ ...flags, data: `${flags.data}/none` }, world),
      UsageError,
    );
    assertEquals(
      none.message,
      `Cannot serve "${flags.data}/none" as the data root must be a directory: there is none`,
    );
  }));

Deno.test("serve() lets callers name the hosts of --allow-host and no others", () =>
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
      listStages: () => Promise.resolve([ask.id]),
      loadStage: () => Promise.resolve(ask),
    });
    while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    const address = lines[0]!.match(/http:\S+/)![0];
    const statusOf = async (judge_url: string) => {
      const body = JSON.stringify({ params: { judge_url }, outputs: { said: "said" } });
      const response = await fetch(`${address}/stages/ask`, { method: "POST", body });
      await response.text();
      return response.status;
    };
    assertEquals(await statusOf("http://judge.example/"), 200);
    assertEquals(await statusOf("http://other.example/"), 400);
    stop();
    assertEquals(await asked, 0);
  }));
