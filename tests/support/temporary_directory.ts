/** A directory for one test, removed with it. @module */
import { join } from "node:path";

/** An empty directory. Disposing of it removes it with its content. */
export class TemporaryDirectory implements Disposable {
  /** absolute */
  readonly path = Deno.makeTempDirSync();

  /** Returns the path of an entry. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** Writes an entry and returns its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = this.file(name);
    Deno.writeFileSync(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
    return path;
  }

  /** Removes the directory. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
