import { assertEquals } from "@std/assert";
import { hostOf, reachedHosts } from "./reached_hosts.ts";

Deno.test("hostOf() is host and port as a permission spells them, whatever else an address holds", () => {
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

Deno.test("hostOf() knows no host where a permission would open more than one, or where there is none", () => {
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

Deno.test("reachedHosts() looks at texts under names that end in _url, and at nothing else", () => {
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
