import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { defineStage, type Stage } from "@/lib/data/contracts/stage.ts";
import { type Executor, runTask } from "@/lib/pipeline/engine/task.ts";
import { DataError, TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { symlink } from "@/tests/support/symlink.ts";
import { openDataRoot } from "./data_root.ts";
import { createServer, type ServerOptions, type StageServer } from "./server.ts";

const FILE = { contract: "file", description: "a text" } as const;

/** Writes `text` several times in capitals and reports every copy. */
const shout = defineStage({
  id: "shout",
  summary: "Shouts",
  params: z.strictObject({ times: z.int().min(1).default(1).describe("copies") }),
  inputs: { text: FILE, more: { ...FILE, optional: true, many: "list" } },
  outputs: { loud: FILE, note: { ...FILE, optional: true } },
  random: false,
  async run({ params, inputs, outputs, progress }) {
    const text = await Deno.readTextFile(inputs.text as string);
    for (let step = 1; step <= params.times; step++) progress({ step, total: params.times });
    await Deno.writeTextFile(outputs.loud!, text.toUpperCase().repeat(params.times));
  },
});

/** Writes half an output, then finds bad data. */
const spoil = defineStage({
  ...shout,
  id: "spoil",
  async run({ outputs }) {
    await Deno.writeTextFile(outputs.loud!, "half");
    throw new DataError("row 3 must be text, got null");
  },
});

/** Counts in steps; when interrupted, saves its count in scratch and resumes from it. */
const count = defineStage({
  ...shout,
  id: "count",
  async run({ outputs, scratch, signal, progress }) {
    const kept = await Deno.readTextFile(`${scratch}/count`).catch(() => "0");
    for (let step = Number(kept) + 1; step <= 200; step++) {
      progress({ step });
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (kept === "0" && signal.aborted) {
        await Deno.writeTextFile(`${scratch}/count`, String(step));
        throw new TryAgainError("Interrupted: the count is saved");
      }
    }
    await Deno.writeTextFile(outputs.loud!, `from ${kept}`);
  },
});

/** Runs the stages above in this process. */
const executor: Executor = {
  name: "inline",
  parallel: true,
  sharesMemory: false,
  async run(task, control) {
    const stage = [shout, spoil, count].find(({ id }) => id === task.stage);
    await runTask(stage as unknown as Stage, task, control);
  },
};

/** The stages in `all`, as the server finds them. */
function sourceOf(all: readonly Stage[]): ServerOptions["stages"] {
  return {
    list: () => Promise.resolve(all.map(({ id }) => id)),
    load: (id) => Promise.resolve(all.find((stage) => stage.id === id)!),
  };
}

interface Fixture {
  readonly dir: string;
  readonly server: StageServer;
  readonly send: (path: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>;
}

async function withServer(
  test: (fixture: Fixture) => Promise<void>,
  options: Partial<ServerOptions> = {},
): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${dir}/data`);
    await Deno.writeTextFile(`${dir}/data/in.txt`, "ho ");
    await Deno.writeTextFile(`${dir}/secret.txt`, "secret");
    const stages: readonly Stage[] = [shout, spoil, count] as unknown as Stage[];
    const server = createServer({
      root: openDataRoot(`${dir}/data`),
      stages: sourceOf(stages),
      executor,
      threads: 2,
      cores: 2,
      ...options,
    });
    const send: Fixture["send"] = async (path, body, headers = {}) =>
      await server.fetch(
        new Request(`http://server${path}`, {
          headers: { ...HEADERS, ...headers },
          ...(body !== undefined &&
            { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) }),
        }),
      );
    await test({ dir, server, send });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const HEADERS = { "Host": "localhost", "Content-Type": "application/json" };
const REQUEST = { inputs: { text: "in.txt" }, outputs: { loud: "out.txt", note: "note.txt" } };

/** The events of a stream of server-sent events, as [name, data]. */
async function events(response: Response): Promise<[string, Record<string, unknown>][]> {
  const blocks = (await response.text()).split("\n\n").filter((block) => block.startsWith("event:"));
  return blocks.map((block) => {
    const [, name, data] = block.match(/^event: (\w+)\ndata: (.*)$/)!;
    return [name!, JSON.parse(data!)];
  });
}

async function refusal(response: Response): Promise<[number, string, number]> {
  const { error } = await response.json();
  return [response.status, error.message, error.exit_code];
}

function names(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
}

Deno.test("GET /stages is a catalogue with the JSON Schema of every stage's parameters", () =>
  withServer(async ({ send }) => {
    const { stages, request } = await (await send("/stages")).json();
    assertEquals(stages.map((s: { id: string }) => s.id), ["shout", "spoil", "count"]);
    assertEquals(request.properties.seed.type, "integer");
    const one = await (await send("/stages/shout")).json();
    assertEquals(one, stages[0]);
    assertEquals(one.params.properties.times.minimum, 1);
    assertEquals(one.params.additionalProperties, false);
    assertEquals(one.inputs.more, { contract: "file", description: "a text", optional: true, many: "list" });
  }));

Deno.test("POST /stages/<id> runs the stage and streams its progress", () =>
  withServer(async ({ send, dir }) => {
    const response = await send("/stages/shout", { ...REQUEST, params: { times: 3 } });
    assertEquals([response.status, response.headers.get("Content-Type")], [200, "text/event-stream"]);
    const sent = await events(response);
    const seconds = sent.at(-1)?.[1].seconds;
    assertEquals(sent, [
      ["progress", { step: 1, total: 3 }],
      ["progress", { step: 2, total: 3 }],
      ["progress", { step: 3, total: 3 }],
      ["finished", { stage: "shout", seconds, outputs: ["loud"] }],
    ]);
    assertEquals(await Deno.readTextFile(`${dir}/data/out.txt`), "HO HO HO ");
    assertEquals(names(`${dir}/data`), [".srppo", "in.txt", "out.txt"]);
    assertEquals(names(`${dir}/data/.srppo/scratch`), []);
  }));

Deno.test("a run that fails sends its message and exit code and leaves no files", () =>
  withServer(async ({ send, dir }) => {
    const sent = await events(await send("/stages/spoil", REQUEST));
    const message = "row 3 must be text, got null";
    assertEquals(sent, [["failed", { message, exit_code: 65 }]]);
    assertEquals(names(`${dir}/data`), [".srppo", "in.txt"]);
  }));

Deno.test("a slow reader gets the newest progress and the end", () =>
  withServer(async ({ send }) => {
    const sent = await events(await send("/stages/shout", { ...REQUEST, params: { times: 5000 } }));
    assert(sent.length < 5000);
    assertEquals(sent.at(-2), ["progress", { step: 5000, total: 5000 }]);
    assertEquals(sent.at(-1)?.[0], "finished");
  }));

Deno.test("POST lists all problems of a request at once", () =>
  withServer(async ({ send }) => {
    const body = {
      params: { times: 0, volume: 1 },
      inputs: { txt: "in.txt", more: { a: "in.txt" } },
      outputs: { loud: "../out" },
    };
    assertEquals(await refusal(await send("/stages/shout", body)), [
      400,
      "Invalid request for shout: " +
      "params.times: Too small: expected number to be >=1; " +
      'params: Unrecognized key: "volume"; ' +
      'inputs.txt: unknown port, did you mean "text"?; inputs.text: missing; ' +
      "inputs.more: expects a list of locations; outputs.note: missing; " +
      'Location "../out" must be a path below the data root',
      64,
    ]);
  }));

Deno.test("POST refuses locations outside the data root, through links too", () =>
  withServer(async ({ send, dir }) => {
    symlink(`${dir}/secret.txt`, `${dir}/data/link.txt`);
    symlink(dir, `${dir}/data/up`);
    symlink(`${dir}/fresh.txt`, `${dir}/data/dangling`);
    symlink(`${dir}/data/in.txt`, `${dir}/data/inside.txt`);
    const bad = [
      "../secret.txt",
      "a/../../secret.txt",
      `${dir}/secret.txt`,
      "/etc/passwd",
      ".",
      "",
      "a\0b",
      ".srppo/x",
    ];
    for (const location of [...bad, "link.txt", "up/secret.txt"]) {
      const response = await send("/stages/shout", { ...REQUEST, inputs: { text: location } });
      assertEquals(response.status, 400, location);
      await response.body?.cancel();
    }
    for (const location of [...bad, "up/fresh.txt", "up/new/fresh.txt", "dangling", "dangling/x"]) {
      const response = await send("/stages/shout", { ...REQUEST, outputs: { loud: location, note: "note" } });
      assertEquals(response.status, 400, location);
      await response.body?.cancel();
    }
    const fine = await send("/stages/shout", {
      inputs: { text: "inside.txt" },
      outputs: { loud: "new/out", note: "new/x" },
    });
    assertEquals((await events(fine)).at(-1)?.[0], "finished");
    assertEquals(names(dir), ["data", "secret.txt"]);
  }));

Deno.test("POST refuses outputs that exist or coincide, and inputs that do not exist", () =>
  withServer(async ({ send }) => {
    const start = "Invalid request for shout: ";
    assertEquals(
      await refusal(await send("/stages/shout", { ...REQUEST, outputs: { loud: "in.txt", note: "n" } })),
      [
        400,
        `${start}outputs.loud: "in.txt" already exists`,
        64,
      ],
    );
    assertEquals(
      await refusal(await send("/stages/shout", { ...REQUEST, outputs: { loud: "n", note: "./n" } })),
      [
        400,
        `${start}outputs: every port must have its own location`,
        64,
      ],
    );
    assertEquals(
      await refusal(
        await send("/stages/shout", { ...REQUEST, inputs: { text: "a", more: ["in.txt", "b"] } }),
      ),
      [
        422,
        'Missing inputs of shout: inputs.text: "a" does not exist; inputs.more: "b" does not exist',
        65,
      ],
    );
  }));

Deno.test("the server refuses unknown stages and paths, bodies that are not JSON, and long bodies", () =>
  withServer(async ({ send }) => {
    assertEquals(await refusal(await send("/stages/whisper", REQUEST)), [
      404,
      'Unknown stage "whisper", known are shout, spoil, count',
      64,
    ]);
    assertEquals(await refusal(await send("/")), [
      404,
      "Unknown path /, known are /healthz, /stages and /stages/<id>",
      64,
    ]);
    const [status, message] = await refusal(await send("/stages/shout", "{"));
    assertEquals(status, 400);
    assertStringIncludes(message, "The request body must be JSON: ");
    assertEquals(await refusal(await send("/stages/shout", { params: { long: "x".repeat(2000) } })), [
      413,
      "The request body must have at most 1000 bytes, got more",
      64,
    ]);
  }, { maxBodyBytes: 1000 }));

Deno.test("every route but /healthz requires the token", () =>
  withServer(async ({ send }) => {
    for (const given of [undefined, "Bearer wrong", "Bearer ", "Basic open", "open"]) {
      for (const [path, body] of [["/stages"], ["/stages/shout"], ["/stages/shout", REQUEST]] as const) {
        const response = await send(path, body, given === undefined ? {} : { Authorization: given });
        assertEquals(
          [response.status, response.headers.get("WWW-Authenticate")],
          [401, "Bearer"],
          `${given} ${path}`,
        );
        await response.body?.cancel();
      }
    }
    assertEquals((await (await send("/healthz")).json()).status, "ok");
    const response = await send("/stages/shout", undefined, { Authorization: "bearer open" });
    assertEquals((await response.json()).id, "shout");
  }, { token: "open" }));

Deno.test("a run beyond the slots gets 429, and the server responds meanwhile", () =>
  withServer(async ({ send }) => {
    const running = await send("/stages/count", REQUEST);
    assertEquals(await (await send("/healthz")).json(), { status: "ok", running: 1, slots: 1 });
    const second = await send("/stages/shout", REQUEST);
    assertEquals(second.headers.get("Retry-After"), "10");
    assertEquals(await refusal(second), [
      429,
      "Cannot start shout: 1 of 1 slots are in use",
      75,
    ]);
    assertEquals((await events(running)).at(-1)?.[0], "finished");
    const third = await send("/stages/shout", { ...REQUEST, outputs: { loud: "b.txt", note: "n.txt" } });
    assertEquals((await events(third)).at(-1)?.[0], "finished");
  }));

Deno.test("two runs at a time never have the same request nor the same outputs", () =>
  withServer(async ({ send }) => {
    const running = await send("/stages/count", REQUEST);
    const elsewhere = { ...REQUEST, outputs: { loud: "b.txt", note: "n.txt" } };
    for (const [stage, body] of [["count", elsewhere], ["shout", REQUEST]] as const) {
      const refused = await send(`/stages/${stage}`, body);
      assertEquals(refused.headers.get("Retry-After"), "10");
      assertEquals(await refusal(refused), [
        409,
        `Cannot start ${stage}: a run with the same outputs or the same request is in progress`,
        75,
      ]);
    }
    const inside = { ...REQUEST, outputs: { loud: "out.txt/a/b", note: "n.txt" } };
    assertEquals((await refusal(await send("/stages/shout", inside)))[0], 409);
    const other = await send("/stages/shout", elsewhere);
    assertEquals((await events(other)).at(-1)?.[0], "finished");
    assertEquals((await events(running)).at(-1)?.[0], "finished");
  }, { threads: 1 }));

Deno.test("stop() lets runs save a checkpoint, and the same request resumes from it", () =>
  withServer(async ({ send, server, dir }) => {
    const running = await send("/stages/count", REQUEST);
    const sent = events(running);
    assertEquals(await server.stop(), 1);
    assertEquals((await sent).at(-1), [
      "failed",
      { message: "Interrupted: the count is saved", exit_code: 75 },
    ]);
    assertEquals((await send("/healthz")).status, 503);
    const refused = await send("/stages/count", REQUEST);
    assertEquals(await refusal(refused), [
      503,
      "Cannot start count: the server is stopping",
      75,
    ]);

    const next = createServer({
      root: openDataRoot(`${dir}/data`),
      stages: sourceOf([count as unknown as Stage]),
      executor,
      threads: 1,
      cores: 1,
    });
    const body = JSON.stringify(REQUEST);
    const again = await next.fetch(
      new Request("http://server/stages/count", { method: "POST", headers: HEADERS, body }),
    );
    assertEquals((await events(again)).at(-1)?.[0], "finished");
    assertEquals((await Deno.readTextFile(`${dir}/data/out.txt`)).replace(/\d+/, "N"), "from N");
    assert(await Deno.readTextFile(`${dir}/data/out.txt`) !== "from 0");
    assertEquals(names(`${dir}/data/.srppo/scratch`), []);
  }));

Deno.test("a run removes the files that a killed attempt of the same request left", () =>
  withServer(async ({ send, dir }) => {
    const spoiled = await events(await send("/stages/spoil", REQUEST));
    assertEquals(spoiled.at(-1)?.[0], "failed");
    // What a kill leaves are the private folders, named after the kept scratch directory.
    const [kept] = names(`${dir}/data/.srppo/scratch`);
    const left = `${dir}/data/.out.txt.${kept!.slice(0, 8)}.partial/outputs/out.txt`;
    await Deno.mkdir(left, { recursive: true });
    await Deno.writeTextFile(`${left}/half`, "half");
    const again = await events(await send("/stages/spoil", REQUEST));
    assertEquals(again, spoiled);
    assertEquals(names(`${dir}/data`), [".srppo", "in.txt"]);
  }));

Deno.test("a client that goes away stops its run and frees the slot", () =>
  withServer(async ({ send, dir }) => {
    const running = await send("/stages/count", REQUEST);
    const reader = running.body!.getReader();
    await reader.read();
    await reader.cancel();
    let busy = 1;
    for (let turn = 0; busy > 0 && turn < 500; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      busy = (await (await send("/healthz")).json()).running;
    }
    assertEquals(busy, 0);
    assertEquals(names(`${dir}/data`), [".srppo", "in.txt"]);
    assertEquals(names(`${dir}/data/.srppo/scratch`).length, 1);
  }));
