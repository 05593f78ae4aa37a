/** Tests the limits of replies over local sockets. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { DataError, UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { silentBody } from "@/tests/support/fake_hub.ts";
import { boundedFetch, type ReplyLimits } from "./bounded_fetch.ts";

/** Sends one request to a server of `respond` and returns status, address and text of the reply. */
async function ask(
  respond: () => Response,
  limits: Partial<ReplyLimits> = {},
): Promise<[number, string, string]> {
  const stop = new AbortController();
  const { addr } = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, signal: stop.signal },
    respond,
  );
  try {
    const bounded = boundedFetch({
      what: "The hub",
      bytes: 10,
      limit: "10 bytes",
      silenceMs: 5000,
      ...limits,
    });
    const response = await bounded(`http://127.0.0.1:${addr.port}/a`);
    return [response.status, new URL(response.url).pathname, await response.text()];
  } finally {
    stop.abort();
  }
}

Deno.test("a reply within the limits is passed on with its status and address", async () => {
  assertEquals(await ask(() => new Response("1234567890", { status: 201 })), [201, "/a", "1234567890"]);
  assertEquals(await ask(() => new Response(null, { status: 204 })), [204, "/a", ""]);
});

Deno.test("a reply with more bytes than the limit is an error, whether it announces them or not", async () => {
  for (
    const body of [() => "12345678901", () => ReadableStream.from([new Uint8Array(6), new Uint8Array(5)])]
  ) {
    const error = await assertRejects(() => ask(() => new Response(body())), DataError);
    assertEquals(error.message, "The hub must send at most 10 bytes, got more");
  }
});

Deno.test("a reply that stops is an error after the time without a byte, and after the time in total", async () => {
  const silent = () => new Response(silentBody("a"));
  const silence = await assertRejects(() => ask(silent, { silenceMs: 50 }), UnavailableError);
  assertEquals(silence.message, "The hub sent no bytes for 0.05 s");
  const total = await assertRejects(() => ask(silent, { totalMs: 50 }), UnavailableError);
  assertEquals(total.message, "The hub must send its reply within 0.05 s, got a part of it");
});
