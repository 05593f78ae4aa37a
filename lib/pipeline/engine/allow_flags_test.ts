import { assert, assertEquals } from "@std/assert";
import { allowFlags } from "./allow_flags.ts";

Deno.test("allowFlags() makes one flag, or several if one would be too long for the system", () => {
  assertEquals(allowFlags("read", []), []);
  assertEquals(allowFlags("read", ["/a", "/b"]), ["--allow-read=/a,/b"]);
  const paths = Array.from({ length: 5000 }, (_, k) => `/${"x".repeat(100)}/${k}`);
  const flags = allowFlags("read", paths);
  assertEquals(flags.flatMap((flag) => flag.replace("--allow-read=", "").split(",")), paths);
  assert(flags.every((flag) => flag.length < 31_000) && flags.length < 20, `${flags.length} flags`);
});
