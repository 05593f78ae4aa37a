import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { hubCache, hubEndpoint, hubHosts, hubToken } from "./hub_settings.ts";
import { isModelReference, parseModelReference } from "./model_reference.ts";

Deno.test("a download needs the host of the endpoint and, if it is public, those of large files", () => {
  assertEquals(hubHosts(hubEndpoint("http://127.0.0.1:8080/")), ["127.0.0.1:8080"]);
  assertEquals(hubHosts(hubEndpoint(undefined)), ["huggingface.co", "*.huggingface.co", "*.hf.co"]);
  assertEquals(hubHosts(hubEndpoint("https://mirror.example:444")), [
    "mirror.example:444",
    "*.mirror.example",
    "*.huggingface.co",
    "*.hf.co",
  ]);
});

Deno.test("invalid settings are refused, and a token is never shown", () => {
  assertEquals(hubEndpoint("https://mirror.example/hub//"), "https://mirror.example/hub");
  assertEquals(
    assertThrows(() => hubEndpoint("ftp://x"), UsageError).message,
    "HF_ENDPOINT must be an address that begins with https:// or http://, got ftp://x",
  );
  assertEquals([hubToken(""), hubToken("hf_a")], [undefined, "hf_a"]);
  assertEquals(
    assertThrows(() => hubToken("secret"), UsageError).message,
    "HF_TOKEN must begin with hf_",
  );
});

Deno.test("models are stored in the folder of the flag, the cache directory or the home directory", () => {
  assertEquals(hubCache("/given", { HOME: "/home/a" }), "/given");
  assertEquals(hubCache(undefined, { HOME: "/home/a", XDG_CACHE_HOME: "/cache" }), "/cache/srppo/hub");
  assertEquals(hubCache(undefined, { HOME: "/home/a" }), "/home/a/.cache/srppo/hub");
  assertEquals(
    assertThrows(() => hubCache(undefined, {}), UsageError).message,
    "Downloads require a folder for models: set --hub-cache or HOME",
  );
});

Deno.test("references name a model and a revision, and no other paths", () => {
  const parts = (text: string) => {
    const { name, revision } = parseModelReference(text);
    return [name, revision];
  };
  assertEquals(parts("hf:org/name-1.5"), ["org/name-1.5", "main"]);
  assertEquals(parts("hf:gpt2@refs/pr/1"), ["gpt2", "refs/pr/1"]);
  assertEquals([isModelReference("hf:x"), isModelReference("./hf:x")], [true, false]);
  for (const text of ["hf:", "hf:a/b/c", "hf:../x", "hf:a/b@", "hf:a/b@../c", "hf:/etc/x", "a/b", "hf:a b"]) {
    assertEquals(
      assertThrows(() => parseModelReference(text), UsageError).message,
      `A model on the hub must be named hf:ORG/NAME or hf:ORG/NAME@REVISION, got ${text}`,
    );
  }
});
