import { assertEquals } from "@std/assert";
import { Hono } from "hono";
import { checkSender, type GuardSettings, isLoopback, requireJson } from "./request_guard.ts";

/** Returns the status of a request with these headers, that arrived at port 8000. */
async function statusOf(
  headers: Record<string, string>,
  settings: GuardSettings = {},
  method = "GET",
): Promise<number> {
  const app = new Hono();
  app.use("*", checkSender(settings, (c, status, message) => c.text(message, status)));
  app.use("*", requireJson((c, status, message) => c.text(message, status)));
  app.all("*", (c) => c.text("ok"));
  return (await app.fetch(new Request("http://server:8000/stages", { method, headers }))).status;
}

Deno.test("without a token, Host must be a loopback name with the port", async () => {
  const good = ["localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "127.1.2.3:8000", "[::1]:8000"];
  for (const host of good) assertEquals([host, await statusOf({ Host: host })], [host, 200]);
  const bad = [
    "localhost",
    "localhost:80",
    "localhost:80000",
    "::1:8000",
    "0.0.0.0:8000",
    "127.0.0.1.x:8000",
  ];
  for (const host of [...bad, "x.localhost:8000", "", "localhost:8000:8000", "localhost:8000/"]) {
    assertEquals([host, await statusOf({ Host: host })], [host, 403]);
    if (host !== "") assertEquals(await statusOf({ Host: host }, { token: "t" }), 200);
  }
});

Deno.test("Origin must be the server's own or an allowed one", async () => {
  const origin = (text: string, settings?: GuardSettings) =>
    statusOf({ Host: "localhost:8000", Origin: text }, settings);
  assertEquals(await origin("http://localhost:8000"), 200);
  for (
    const text of ["null", "http://localhost:3000", "http://localhost:8000.x", "https://app.example", ""]
  ) {
    assertEquals([text, await origin(text)], [text, 403]);
  }
  const allowedOrigins = ["https://app.example"];
  assertEquals(await origin("https://app.example", { allowedOrigins }), 403);
  assertEquals(await origin("https://app.example", { allowedOrigins, token: "t" }), 200);
  assertEquals(await origin("https://app.example:444", { allowedOrigins, token: "t" }), 403);
});

Deno.test("a POST must be JSON by its Content-Type", async () => {
  const post = (type: string) => statusOf({ "Host": "localhost:8000", "Content-Type": type }, {}, "POST");
  assertEquals(await post("application/json"), 200);
  assertEquals(await post("Application/JSON; charset=utf-8"), 200);
  for (const type of ["text/plain", "application/jsonp", "text/plain; application/json", ""]) {
    assertEquals([type, await post(type)], [type, 415]);
  }
});

Deno.test("isLoopback() knows the names of this machine", () => {
  assertEquals(["localhost", "127.0.0.1", "::1", "[::1]"].map(isLoopback), [true, true, true, true]);
  assertEquals(["0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "a"].map(isLoopback), Array(5).fill(false));
});
