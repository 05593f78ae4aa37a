import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { hostOf, reachedHosts, urlToken } from "./reached_hosts.ts";

Deno.test("hostOf() is host and port in the format of a permission, whatever else an address has", () => {
  const hosts = {
    "http://127.0.0.1:8000/score?version=2": "127.0.0.1:8000",
    "https://Judge.Example/": "judge.example:443",
    "http://judge.example": "judge.example:80",
    "http://[::1]:9/": "[::1]:9",
    "http://user:secret@judge.example:81/": "judge.example:81",
    "http://127.1:5/": "127.0.0.1:5", // as every client reads it
  };
  for (const [address, host] of Object.entries(hosts)) assertEquals(hostOf(address), host, address);
});

Deno.test("hostOf() is undefined if a permission would allow several hosts, or without a host", () => {
  const none = [
    "",
    "judge.example:80",
    "ftp://judge.example/",
    "file:///etc/passwd",
    "http://*.example/",
    "http://*/",
    "http://a,b/",
    "http://a,/",
    "http://",
  ];
  assertEquals(none.map(hostOf), none.map(() => undefined));
});

Deno.test("reachedHosts() reads only strings whose names end in _url", () => {
  assertEquals(
    reachedHosts({
      external_url: "http://a:1/x",
      other_url: "http://a:1/y",
      third_url: "https://b",
      empty_url: "",
      list_url: ["http://c"],
      null_url: null,
      url: "http://d",
      external_urls: "http://e",
    }),
    ["a:1", "b:443"],
  );
});

Deno.test("urlToken() gives the token to its own host, whatever the token contains", () => {
  assertEquals(urlToken("Judge.example:443=a=b:c", "https://judge.example/score"), "a=b:c");
  assertEquals(urlToken("[::1]:8000=t", "http://[::1]:8000/"), "t");
  assertEquals(urlToken("judge.example:80=t", "https://judge.example/"), undefined);
  for (const none of [undefined, ""]) assertEquals(urlToken(none, "https://judge.example/"), undefined);
});

Deno.test("urlToken() refuses a token without its host and does not show it", () => {
  for (
    const bad of ["secret", "secret=", "judge.example=secret", "http://judge.example:80=secret", "=secret"]
  ) {
    const error = assertThrows(() => urlToken(bad, "http://judge.example:80/"), UsageError);
    assertEquals(
      error.message,
      "SRPPO_URL_TOKEN must be HOST:PORT=TOKEN, such as judge.example:443=TOKEN, so that no other host gets the token; " +
        "got a value without HOST:PORT= (it is not shown)",
    );
  }
});
