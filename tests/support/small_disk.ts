/**
 * A file system of a few megabytes that can be really full or read-only: a tmpfs in its own mount namespace, which needs no
 * special permissions. Systems that forbid namespaces have none.
 * @module
 */
import { projectRoot } from "@/lib/app/project_root.ts";
import { linesOf } from "@/lib/pipeline/engine/lines_of.ts";
import { commandOf, type Finished } from "./launch.ts";

/** A small disk. Only its own commands see what is below `path`. */
export class SmallDisk implements AsyncDisposable {
  readonly #shell: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: AsyncIterator<string>;

  private constructor(readonly path: string, shell: Deno.ChildProcess) {
    this.#shell = shell;
    this.#input = shell.stdin.getWriter();
    this.#lines = linesOf(shell.stdout);
  }

  /**
   * Mounts a disk of `size` (tmpfs: `4m`) at the existing directory `path`.
   * @returns undefined if the system does not allow mounts
   */
  static async mount(path: string, size: string): Promise<SmallDisk | undefined> {
    let shell: Deno.ChildProcess;
    try {
      shell = new Deno.Command("unshare", {
        args: ["--user", "--map-root-user", "--mount", "sh"],
        cwd: projectRoot,
        env: { NO_COLOR: "1" },
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
    const disk = new SmallDisk(path, shell);
    const { code } = await disk.#do(`mount -t tmpfs -o size=${size} none ${quoted(path)}`);
    if (code === 0) return disk;
    await disk[Symbol.asyncDispose]();
    return undefined;
  }

  /** Runs the launcher to its end, as `deno task` with `args`. */
  launch(args: readonly string[]): Promise<Finished> {
    return this.#do(commandOf(args).map(quoted).join(" "));
  }

  /** Makes the disk larger or smaller. */
  async resize(size: string): Promise<void> {
    await this.shell(`mount -o remount,size=${size} ${quoted(this.path)}`);
  }

  /** Makes the disk read-only. */
  async makeReadOnly(): Promise<void> {
    await this.shell(`mount -o remount,ro ${quoted(this.path)}`);
  }

  /** Returns every file of the disk with its SHA-256, sorted by name. */
  async content(): Promise<string> {
    return await this.shell(`cd ${quoted(this.path)} && find . -type f -exec sha256sum {} + | sort -k 2`);
  }

  /** Returns the output of a shell command. @throws {Error} if it fails */
  async shell(command: string): Promise<string> {
    const { code, out, err } = await this.#do(`(${command})`);
    if (code !== 0) throw new Error(`"${command}" failed: ${err}`);
    return out;
  }

  async #do(command: string): Promise<Finished> {
    const [out, err] = [Deno.makeTempFileSync(), Deno.makeTempFileSync()];
    try {
      await this.#input.write(
        new TextEncoder().encode(`${command} </dev/null >${quoted(out)} 2>${quoted(err)}; echo $?\n`),
      );
      const { value } = await this.#lines.next();
      // A shell that has ended because namespaces are not allowed prints nothing.
      return {
        code: value === undefined ? -1 : Number(value),
        out: Deno.readTextFileSync(out),
        err: Deno.readTextFileSync(err),
      };
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) return { code: -1, out: "", err: error.message };
      throw error;
    } finally {
      Deno.removeSync(out);
      Deno.removeSync(err);
    }
  }

  /** Unmounts the disk and discards its content. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#lines.return?.();
    await this.#shell.status;
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
