import { assert, assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { exchange, sendRaw } from "@/tests/support/attacked_server.ts";
import { listen } from "./http_listener.ts";

const HERE = { host: "127.0.0.1", port: 0 };

Deno.test("listen() passes method, path, headers and body on, and the response back", async () => {
  const listener = await listen(async (request) => {
    const { method, url, headers } = request;
    return Response.json({ method, url, host: headers.get("Host"), body: await request.text() }, {
      status: 201,
    });
  }, HERE);
  const { status, text } = await sendRaw(listener.port, "POST", "/a?b=c", { Host: "other" }, "body");
  assertEquals(status, 201);
  assertEquals(JSON.parse(/\{.*\}/.exec(text)![0]), {
    method: "POST",
    url: `http://server:${listener.port}/a?b=c`,
    host: "other",
    body: "body",
  });
  assertEquals((await sendRaw(listener.port, "GET", "http://other/", {})).status, 400);
  const taken = () => listen(() => new Response(), { host: "127.0.0.1", port: listener.port });
  await assertRejects(taken, UsageError, `Port ${listener.port} of 127.0.0.1 is in use by another process`);
  await listener.close();
});

Deno.test("listen() disconnects clients whose headers or bodies do not arrive", async () => {
  const listener = await listen(async (request) => new Response(await request.text().catch(() => "")), {
    ...HERE,
    headersMs: 200,
    requestMs: 400,
  });
  for (const start of ["", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"]) {
    const end = await exchange(listener.port, start);
    assert(end.startsWith("HTTP/1.1 408 ") || end.startsWith("closed: "), end);
  }
  await listener.close();
});

Deno.test("listen() streams, and cancels the body of a response whose client is gone", async () => {
  const canceled = Promise.withResolvers<void>();
  const listener = await listen(() => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode("first")),
      cancel: () => canceled.resolve(),
    });
    return new Response(body);
  }, { ...HERE, headersMs: 200, requestMs: 400 });
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  let text = "";
  while (!text.includes("first")) {
    const buffer = new Uint8Array(1000);
    text += new TextDecoder().decode(buffer.subarray(0, (await connection.read(buffer))!));
  }
  connection.close();
  await canceled.promise;
  await listener.close();
});
