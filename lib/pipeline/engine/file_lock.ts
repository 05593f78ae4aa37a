/**
 * Advisory locks on files (flock). The system releases them when their holder ends, however it ends, so a lock never
 * goes stale.
 * @module
 */
import { isMissing } from "@/lib/data/files/paths.ts";

/** A lock that is held; disposing of it releases it. */
export interface FileLock extends Disposable {
  /** replaces the file's content, which names the holder */
  readonly note: (text: string) => void;
}

/** Takes the lock on `path`; returns undefined if it is held. The file is created if it does not exist. */
export function tryLock(path: string): FileLock | undefined {
  const file = Deno.openSync(path, { read: true, write: true, create: true });
  if (!file.tryLockSync(true)) {
    file.close();
    return undefined;
  }
  return {
    note(text: string): void {
      file.truncateSync(0);
      file.seekSync(0, Deno.SeekMode.Start);
      file.writeSync(new TextEncoder().encode(text));
    },
    [Symbol.dispose](): void {
      file.close();
    },
  };
}

/** Returns whether another process holds the lock on `path`; a file that does not exist is not locked. */
export function isLocked(path: string): boolean {
  try {
    using file = Deno.openSync(path, { read: true });
    return !file.tryLockSync(true);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Waits for the lock on `path`, trying every `intervalMs`, until `signal` is aborted; it tries once in any case. */
export async function waitForLock(
  path: string,
  signal: AbortSignal,
  intervalMs = 50,
): Promise<FileLock | undefined> {
  for (;;) {
    const lock = tryLock(path);
    if (lock || signal.aborted) return lock;
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
