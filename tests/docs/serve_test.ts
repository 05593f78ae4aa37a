/** Tests that the curl example of docs/serve.md is a complete request. @module */
import { assertEquals } from "@std/assert";
import { stage as tokenize } from "@/stages/tokenize/main.ts";
import { projectText } from "./generated.ts";

Deno.test("the curl example of docs/serve.md gives every output of tokenize a location (pairs was missing)", () => {
  const [, body] = /-d '(\{.*?\} \})'/s.exec(projectText("docs/serve.md"))!;
  const request = JSON.parse(body!) as { inputs: object; outputs: object };
  assertEquals(Object.keys(request.outputs).sort(), Object.keys(tokenize.outputs).sort());
  assertEquals(Object.keys(request.inputs).filter((port) => !(port in tokenize.inputs)), []);
});
