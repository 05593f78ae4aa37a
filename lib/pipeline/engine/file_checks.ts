/**
 * Which stored files have the bytes that their digests say. Each file is hashed once in a run before it is read, and again
 * if its inode, size or times change; a file that this run hashed and then stored itself counts as hashed. Nothing is kept
 * for the next run: a disk that loses bits does not change the times of a file. Deno gives the time of the last change of
 * an inode in seconds, so a process that writes to a file and resets its modification time within a second is not noticed.
 * @module
 */
import { digestFile, type FileDigest } from "@/lib/data/files/digest.ts";
import { statOf } from "./tree.ts";

/** What this run knows of stored files, by path. */
export class FileChecks {
  readonly #known = new Map<string, { readonly digest: string; readonly stamp: string }>();
  #hashedBytes = 0;

  /** Bytes hashed so far. */
  get hashedBytes(): number {
    return this.#hashedBytes;
  }

  /** Returns true if `path` is a regular file with this size and digest. Hashes it unless that is known. */
  isSound(path: string, { digest, size }: FileDigest): boolean {
    const info = statOf(path);
    if (!info?.isFile || info.size !== size) return false;
    const known = this.#known.get(path), stamp = stampOf(info);
    if (known?.digest === digest && known.stamp === stamp) return true;
    this.#hashedBytes += size;
    if (digestFile(path) !== digest) return false;
    this.#known.set(path, { digest, stamp });
    return true;
  }

  /** Notes that the file at `path` was hashed, with this digest, just before it was moved there. */
  note(path: string, digest: string): void {
    this.#known.set(path, { digest, stamp: stampOf(Deno.lstatSync(path)) });
  }

  /** Calls `link`, which makes a hard link to `path` and so changes the file's times, but not its bytes. */
  linking(path: string, link: () => void): void {
    const known = this.#known.get(path), before = statOf(path);
    link();
    if (known === undefined || before === undefined || known.stamp !== stampOf(before)) return;
    const after = Deno.lstatSync(path);
    const isSame = after.ino === before.ino && after.size === before.size &&
      after.mtime?.getTime() === before.mtime?.getTime();
    if (isSame) this.note(path, known.digest);
  }
}

function stampOf({ ino, size, mtime, ctime }: Deno.FileInfo): string {
  return `${ino} ${size} ${mtime?.getTime()} ${ctime?.getTime()}`;
}
