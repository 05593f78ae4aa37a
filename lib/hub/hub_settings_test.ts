import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "@/lib/tensor/errors.ts";
import { hubCache, hubEndpoint, hubHosts, hubToken } from "./hub_settings.ts";
import { isModelReference, parseModelReference } from "./model_reference.ts";

Deno.test("a download may talk to the endpoint, and from a public one to where large files are", () => {
  assertEquals(hubHosts(hubEndpoint("http://127.0.0.1:8080/")), ["127.0.0.1:8080"]);
  assertEquals(hubHosts(hubEndpoint(undefined)), ["huggingface.co", "*.huggingface.co", "*.hf.co"]);
  assertEquals(hubHosts(hubEndpoint("https://mirror.example:444")), [
    "mirror.example:444",
    "*.mirror.example",
    "*.huggingface.co",
    "*.hf.co",
  ]);
});

Deno.test("settings that are none are refused, and a token is never shown", () => {
  assertEquals(hubEndpoint("https://mirror.example/hub//"), "https://mirror.example/hub");
  assertEquals(
    assertThrows(() => hubEndpoint("ftp://x"), UsageError).message,
    "Cannot use HF_ENDPOINT as it must be an address that begins with https:// or http://: it is ftp://x",
  );
  assertEquals([hubToken(""), hubToken("hf_a")], [undefined, "hf_a"]);
  assertEquals(
    assertThrows(() => hubToken("secret"), UsageError).message,
    "Cannot use HF_TOKEN as a token must begin with hf_: it begins otherwise",
  );
});

Deno.test("models are kept where the flag, the cache directory or the home says", () => {
  assertEquals(hubCache("/given", { HOME: "/home/a" }), "/given");
  assertEquals(hubCache(undefined, { HOME: "/home/a", XDG_CACHE_HOME: "/cache" }), "/cache/srppo/hub");
  assertEquals(hubCache(undefined, { HOME: "/home/a" }), "/home/a/.cache/srppo/hub");
  assertEquals(
    assertThrows(() => hubCache(undefined, {}), UsageError).message,
    "Cannot download as there must be a folder for models: neither --hub-cache nor HOME is given",
  );
});

Deno.test("references name a model and a revision, and nothing that leads elsewhere", () => {
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
      `Cannot take ${text} as a model on the hub must be named hf:ORG/NAME or hf:ORG/NAME@REVISION: it is not`,
    );
  }
});
