/** The free disk that a download needs. @module */
import { statfsSync } from "node:fs";
import { reading } from "@/lib/data/files/file_errors.ts";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";

/**
 * Checks that `bytes` more fit on the disk of `path`.
 * @param what is downloaded, for the message
 * @throws {TryAgainError} if they do not
 */
export function checkFreeSpace(path: string, bytes: number, what: string): void {
  const { bavail, bsize } = reading(path, () => statfsSync(path));
  if (bytes <= bavail * bsize) return;
  throw new TryAgainError(
    `Not enough disk space for ${what}: need ${mib(bytes)} in ${path}, ${mib(bavail * bsize)} available`,
  );
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
