/**
 * Who uses a store: every run holds a shared lock on `users.lock`, and only a run that is alone may remove anything.
 * @module
 */
import { join } from "node:path";
import { writeError } from "@/lib/files/file_errors.ts";

/** This process's place among the users of a store. */
export interface StoreUsers extends Disposable {
  /** calls `work` if no other run uses the store, and keeps others out meanwhile; false if there are others */
  readonly ifAlone: (work: () => void) => boolean;
}

/** Joins the users of the store at `dir`; waits while a run that is alone removes something. */
export function joinStore(dir: string): StoreUsers {
  const open = (name: string) => {
    try {
      return Deno.openSync(join(dir, name), { read: true, write: true, create: true });
    } catch (cause) {
      throw writeError(join(dir, name), cause);
    }
  };
  const users = open("users.lock");
  // Turning a shared lock into an exclusive one gives it up in between. Whoever does that, or joins, holds the gate.
  const gate = open("gate.lock");
  gate.lockSync(true);
  users.lockSync(false);
  gate.unlockSync();
  return {
    ifAlone(work: () => void): boolean {
      if (!gate.tryLockSync(true)) return false;
      try {
        const alone = users.tryLockSync(true);
        if (alone) work();
        users.lockSync(false);
        return alone;
      } finally {
        gate.unlockSync();
      }
    },
    [Symbol.dispose](): void {
      users.close();
      gate.close();
    },
  };
}
