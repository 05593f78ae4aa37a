/**
 * Attacks by a hub and by an endpoint of external rewards: more bytes than announced, no bytes, absurd sizes, lists and replies
 * without an end, damaged files in the cache.
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { exitCodeOf } from "@/lib/compute/tensor/errors.ts";
import { downloadModel } from "@/lib/data/hub/download_model.ts";
import { parseModelReference } from "@/lib/data/hub/model_reference.ts";
import { endpointReward } from "@/stages/score/endpoint_reward.ts";
import { dribblingBody, endlessBody, type FakeHub, fakeHub, silentBody } from "@/tests/support/fake_hub.ts";
import { type Judge, JudgeServer, SILENCE } from "@/tests/support/judge_server.ts";
import type { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import type { Attack } from "./attack.ts";

const WEIGHTS = new Uint8Array(2 ** 20).fill(7);
const MIB = 2 ** 20;
/** Time without a byte where much is sent, which this process sends and parses itself. */
const BUSY_MS = 5000;

/** The failure of a hostile download or request: exit code, message, and the bytes that it left behind. */
interface Outcome {
  readonly code: number;
  readonly message: string;
}

/** Downloads from a hub that `prepare` makes hostile, and fails if that takes more than 20 s. */
async function download(
  { path }: TemporaryDirectory,
  prepare: (hub: FakeHub) => void,
  silenceMs = 200,
): Promise<Outcome> {
  await using hub = fakeHub({ "config.json": "{}", "model.safetensors": WEIGHTS });
  prepare(hub);
  const reference = parseModelReference("hf:org/tiny");
  return await outcomeOf(
    downloadModel({ reference, endpoint: hub.endpoint, silenceMs }, { cache: join(path, "cache") }),
  );
}

async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  const end = Promise.withResolvers<never>();
  const timer = setTimeout(() => end.reject(new Error("still running after 20 s")), 20_000);
  try {
    const error = await assertRejects(() => Promise.race([work, end.promise]), Error);
    assert(!error.message.startsWith("still running"), error.message);
    assert(error.message.length < 2000, `a message of ${error.message.length} characters`);
    return { code: exitCodeOf(error), message: error.message };
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the bytes of all files below a directory. */
function bytesBelow(directory: string): number {
  return [...Deno.readDirSync(directory)].reduce((sum, { name, isDirectory }) => {
    const path = join(directory, name);
    return sum + (isDirectory ? bytesBelow(path) : Deno.statSync(path).size);
  }, 0);
}

function isTree(path: string): boolean {
  return path.startsWith("/api/models/org/tiny/tree/");
}

/** A hub that sends `size` for the weights in its list. */
function listing(size: unknown, oid: unknown = "0".repeat(64)): (hub: FakeHub) => void {
  return (hub) => {
    hub.hostile = (path) =>
      !isTree(path) ? undefined : Response.json([
        { type: "file", path: "config.json", size: 2, oid: "9e26dfeeb6e641a33dae4961196235bdb965b21b" },
        {
          type: "file",
          path: "model.safetensors",
          size,
          oid: "0".repeat(40),
          lfs: { oid, size, pointerSize: 1 },
        },
      ]);
  };
}

const ROWS = [{ id: "a", prompt_id: "p", prompt: "", response: "", meta: {}, ended: true, reward: 0 }];

async function judged(judge: Judge): Promise<Outcome> {
  await using server = new JudgeServer(judge);
  return await outcomeOf(
    endpointReward({
      url: server.url(),
      timeoutMs: 1000,
      attempts: 2,
      batch: null,
      signal: new AbortController().signal,
      onRetry: () => {},
      pause: () => Promise.resolve(),
    })(ROWS),
  );
}

const HUB_ATTACKS: readonly Attack[] = [
  {
    name: "a hub that lists 1 MiB and sends 1.9 GB is cut off at 1 MiB (65), and nothing of it is kept",
    async run(directory) {
      const sent = { bytes: 0 };
      const { code, message } = await download(directory, (hub) => {
        hub.hostile = (path, range) => {
          if (!path.startsWith("/storage/") || range === "bytes=0-0") return undefined;
          return new Response(endlessBody(1.9e9, sent));
        };
      });
      assertEquals(code, 65);
      assert(message.endsWith("must send at most the listed 1048576 bytes, got more"), message);
      assert(sent.bytes < 64 * MIB, `${sent.bytes} bytes were sent`);
      assert(bytesBelow(directory.path) < MIB, `${bytesBelow(directory.path)} bytes are kept`);
    },
  },
  {
    name: "a hub that resumes a file with more than the rest is cut off (65)",
    async run(directory) {
      const sent = { bytes: 0 };
      const { code } = await download(directory, (hub) => {
        hub.hostile = (path, range) => {
          if (!path.startsWith("/storage/") || range === "bytes=0-0") return undefined;
          if (range === null) return new Response(WEIGHTS.slice(0, 1000));
          return new Response(endlessBody(1.9e9, sent), { status: 206 });
        };
      });
      assertEquals([code, sent.bytes < 64 * MIB], [65, true]);
    },
  },
  {
    name: "a hub that announces another length than it lists is refused (65)",
    async run(directory) {
      const { code, message } = await download(directory, (hub) => {
        hub.hostile = (path, range) =>
          path.startsWith("/storage/") && range === "bytes=0-0"
            ? new Response("x", {
              status: 206,
              headers: { ETag: '"a"', "Content-Range": "bytes 0-0/1900000000" },
            })
            : undefined;
      });
      assertEquals(code, 65);
      assert(message.includes("must send the listed 1048576 bytes, got 1900000000 announced"), message);
    },
  },
  {
    name: "a hub that stops sending within a file ends the download after the time without a byte (69)",
    async run(directory) {
      const { code, message } = await download(directory, (hub) => {
        hub.hostile = (path, range) =>
          path.startsWith("/storage/") && range !== "bytes=0-0"
            ? new Response(silentBody(range === null ? "some" : ""), { status: range === null ? 200 : 206 })
            : undefined;
      });
      assertEquals(code, 69);
      assert(message.endsWith("sent no bytes for 0.2 s"), message);
    },
  },
  {
    name:
      "a hub that sends a byte now and then for ever is left, as it sends fewer than 1024 bytes per second (69)",
    async run(directory) {
      for (const isSlow of [isTree, (path: string) => path.startsWith("/storage/")]) {
        const { code, message } = await download(directory, (hub) => {
          hub.hostile = (path, range) =>
            isSlow(path) && range !== "bytes=0-0"
              ? new Response(dribblingBody(20), { status: range === null ? 200 : 206 })
              : undefined;
        });
        assertEquals(code, 69);
        assert(message.endsWith("must send at least 1024 bytes per second, got fewer"), message);
      }
    },
  },
  {
    name: "a hub that never ends its JSON, or never begins it, is left after the time without a byte (69)",
    async run(directory) {
      for (const first of ["[", ""]) {
        const { code } = await download(directory, (hub) => {
          hub.hostile = (path) => isTree(path) ? new Response(silentBody(first)) : undefined;
        });
        assertEquals(code, 69);
      }
    },
  },
  {
    name: "a connection that breaks after each byte is not tried for ever (69)",
    async run(directory) {
      let requests = 0;
      const { code, message } = await download(directory, (hub) => {
        hub.cutAfter = 1;
        hub.hostile = () => void requests++;
      });
      assertEquals([code, requests < 500], [69, true]);
      assert(message.includes("the connection broke 100 times"), message);
    },
  },
  {
    name: "negative, fractional and absurd sizes in a list are refused by name (65)",
    async run(directory) {
      for (const size of [-1, 1.5, 1e300, 2 ** 60, "1000", null]) {
        const { code, message } = await download(directory, listing(size));
        assertEquals([code, message], [
          65,
          `model.safetensors of hf:org/tiny must have between 0 and 4398046511104 bytes, got ${
            JSON.stringify(size)
          }`,
        ]);
      }
    },
  },
  {
    name: "a model that is larger than the free disk is refused before a byte is written (75)",
    async run(directory) {
      const { code, message } = await download(directory, listing(2 ** 42));
      assertEquals(code, 75);
      assert(message.startsWith("Not enough disk space for hf:org/tiny: need 4194"), message);
      assert(bytesBelow(directory.path) < 1000);
    },
  },
  {
    name: "a digest with control characters does not reach the terminal (65)",
    async run(directory) {
      const { code, message } = await download(directory, listing(1000, "\x1b[2J".repeat(16)));
      assertEquals([code, message.includes("\x1b")], [65, false]);
    },
  },
  {
    name: "a list of files without an end, as one reply or as pages, is refused (65)",
    async run(directory) {
      const sent = { bytes: 0 };
      const one = await download(directory, (hub) => {
        hub.hostile = (path) => isTree(path) ? new Response(endlessBody(1.9e9, sent)) : undefined;
      }, BUSY_MS);
      assertEquals([one.code, sent.bytes < 128 * MIB], [65, true]);
      const page = JSON.stringify(
        Array.from({ length: 20_000 }, (_, k) => ({ type: "file", path: `f${k}`, size: 1 })),
      );
      const pages = await download(directory, (hub) => {
        const headers = { Link: `<${hub.endpoint}/api/models/org/tiny/tree/next>; rel="next"` };
        hub.hostile = (path) => isTree(path) ? new Response(page, { headers }) : undefined;
      }, BUSY_MS);
      assertEquals(pages, { code: 65, message: "hf:org/tiny must have at most 100000 files, got more" });
    },
  },
  {
    name: "a list that continues on another host is refused, so that the token is not sent there (65)",
    async run(directory) {
      let asked = 0;
      await using other = new JudgeServer(() => void asked++);
      const { code } = await download(directory, (hub) => {
        const headers = { Link: `<${other.url()}>; rel="next"` };
        hub.hostile = (path) => isTree(path) ? Response.json([], { headers }) : undefined;
      });
      assertEquals([code, asked], [65, 0]);
    },
  },
  {
    name: "a gzip bomb in place of JSON is refused after 32 MiB (65)",
    slow: true,
    async run(directory) {
      const zeros = new Blob([new Uint8Array(256 * MIB)]).stream().pipeThrough(new CompressionStream("gzip"));
      const bomb = await new Response(zeros).bytes();
      const { code } = await download(directory, (hub) => {
        hub.hostile = (path) =>
          isTree(path) ? new Response(bomb, { headers: { "Content-Encoding": "gzip" } }) : undefined;
      });
      assertEquals([bomb.length < MIB, code], [true, 65]);
    },
  },
  {
    name: "redirects without an end are left after 20, and tried twice at most (69)",
    async run(directory) {
      let requests = 0;
      const { code } = await download(directory, (hub) => {
        hub.hostile = (path) => {
          if (!path.startsWith("/storage/")) return undefined;
          return Response.redirect(`${hub.endpoint}/storage/${++requests}`, 302);
        };
      });
      assertEquals([code, requests <= 40], [69, true], `${requests} requests`);
    },
  },
  {
    name: "a damaged file of the cache is noticed and downloaded again; without the hub it is an error (69)",
    async run({ path }) {
      const hub = fakeHub({ "config.json": "{}", "model.safetensors": WEIGHTS });
      const reference = parseModelReference(`hf:org/tiny@${hub.commit}`);
      const load = () =>
        downloadModel({ reference, endpoint: hub.endpoint }, { cache: join(path, "cache"), warn: () => {} });
      const weights = join(await load(), "model.safetensors");
      const damaged = WEIGHTS.slice();
      damaged[1000]! ^= 1;
      Deno.writeFileSync(weights, damaged);
      assertEquals(Deno.readFileSync(join(await load(), "model.safetensors")), WEIGHTS);
      Deno.writeFileSync(weights, damaged);
      await hub[Symbol.asyncDispose]();
      const { code, message } = await outcomeOf(load());
      assertEquals(code, 69);
      assert(message.startsWith(`${weights}: its SHA-256 must be `), message);
    },
  },
];

const ENDPOINT_ATTACKS: readonly Attack[] = [
  {
    name: "an endpoint's reply without an end is refused after about 1 MiB (65), also one of a failure (69)",
    async run() {
      for (const [status, code] of [[200, 65], [400, 69]] as const) {
        const sent = { bytes: 0 };
        const outcome = await judged(() => new Response(endlessBody(1.9e9, sent), { status }));
        assertEquals([outcome.code, sent.bytes < 64 * MIB], [code, true]);
      }
    },
  },
  {
    name: "an endpoint that sends a byte now and then does not outlive the timeout (69)",
    slow: true,
    async run() {
      const { code } = await judged(() => new Response(silentBody("{")));
      assertEquals(code, 69);
      assertEquals((await judged(() => SILENCE)).code, 69);
    },
  },
  {
    name: "an endpoint's long, deeply nested and strange values give a short message (65)",
    async run() {
      const nested = "[".repeat(200_000) + "]".repeat(200_000);
      for (
        const rewards of [
          JSON.stringify("x".repeat(500_000)),
          `[${JSON.stringify("x".repeat(500_000))}]`,
          nested,
          `[${nested}]`,
          '[{"toString":1}]',
          `[${"1,".repeat(100_000)}1]`,
        ]
      ) {
        const { code } = await judged(() => new Response(`{"rewards":${rewards}}`));
        assertEquals(code, 65);
      }
    },
  },
];

/** See attack.ts. */
export const attacks: readonly Attack[] = [...HUB_ATTACKS, ...ENDPOINT_ATTACKS];
