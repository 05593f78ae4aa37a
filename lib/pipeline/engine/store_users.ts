/**
 * The runs that use a store: each holds a shared lock on `users.lock`, and only a run that is alone may remove anything.
 * @module
 */
import { join } from "node:path";
import { writeError } from "@/lib/data/files/file_errors.ts";

/** This process as a user of the store at `dir`. */
export class StoreUsers implements Disposable {
  readonly #users: Deno.FsFile;
  /** Making a shared lock exclusive releases it in between: whoever does that, or joins, holds the gate. */
  readonly #gate: Deno.FsFile;

  /** Joins the users; waits while a run that is alone removes something. */
  constructor(dir: string) {
    this.#users = open(join(dir, "users.lock"));
    this.#gate = open(join(dir, "gate.lock"));
    this.#gate.lockSync(true);
    this.#users.lockSync(false);
    this.#gate.unlockSync();
  }

  /** Calls `work` if no other run uses the store, and keeps others out meanwhile. Returns false if there are others. */
  ifAlone(work: () => void): boolean {
    if (!this.#gate.tryLockSync(true)) return false;
    try {
      const alone = this.#users.tryLockSync(true);
      if (alone) work();
      this.#users.lockSync(false);
      return alone;
    } finally {
      this.#gate.unlockSync();
    }
  }

  /** Leaves the users. */
  [Symbol.dispose](): void {
    this.#users.close();
    this.#gate.close();
  }
}

function open(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { read: true, write: true, create: true });
  } catch (cause) {
    throw writeError(path, cause);
  }
}
