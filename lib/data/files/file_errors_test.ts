/** A full disk, simulated as the system reports it: a test cannot fill one without the right to mount. @module */
import { assert, assertEquals } from "@std/assert";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { diskError } from "./file_errors.ts";

function refusal(code: string): Error {
  return Object.assign(new Error(`${code} (os error 28): write`), { code });
}

Deno.test("diskError() reports a full disk or quota and keeps the cause", () => {
  const reasons = { ENOSPC: "the disk is full", EDQUOT: "the disk quota is used up" };
  for (const [code, reason] of Object.entries(reasons)) {
    const cause = refusal(code);
    const error = diskError("runs/store", cause);
    assert(error instanceof TryAgainError);
    assertEquals(error.message, `Not enough disk space for runs/store: ${reason}`);
    assertEquals(error.cause, cause);
  }
});

Deno.test("diskError() returns everything else unchanged", () => {
  for (const cause of [refusal("EACCES"), new TypeError("no"), new TryAgainError("stopped"), undefined]) {
    assertEquals(diskError("runs/store", cause), cause);
  }
});
