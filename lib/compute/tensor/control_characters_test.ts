import { assertEquals } from "@std/assert";
import { escapeBidirectional, escapeControls } from "./control_characters.ts";

Deno.test("control characters and bidirectional controls are escaped, text of any script is not", () => {
  assertEquals(
    escapeControls("a\x1b[2Jb\u202ecod.\u2066\x07\n\tä\u05d0"),
    "a\\u001b[2Jb\\u202ecod.\\u2066\\u0007\n\tä\u05d0",
  );
  assertEquals(escapeBidirectional("\x1b[31mred\u200f"), "\x1b[31mred\\u200f");
});
