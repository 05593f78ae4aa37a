/**
 * Texts that the server sends and logs: without the places of files on its machine, and without secrets.
 * @module
 */
import type { DataRoot } from "./data_root.ts";
import { projectRoot } from "./project_root.ts";

/** Shorter secrets are not looked for: they could be a part of any word. */
const MIN_SECRET = 8;

/**
 * Returns `text` with paths relative to the data root or the project, other absolute paths reduced to their last part, and
 * without `secrets` and the passwords of addresses.
 */
export function shownText(text: string, { path: root }: DataRoot, secrets: readonly string[] = []): string {
  let shown = text;
  for (const secret of secrets) if (secret.length >= MIN_SECRET) shown = shown.replaceAll(secret, "[secret]");
  shown = shown.replaceAll(/(https?:\/\/)[^\s/@"']*@/g, "$1").replaceAll("file:///", "/");
  for (const folder of [root, projectRoot]) {
    shown = shown.replaceAll(`${folder}/`, "").replaceAll(folder, ".");
  }
  return shown
    // An output is shown at its location, not at the hidden one where it is written.
    .replaceAll(/\.([^/\s]+)\.[0-9a-f]{8}\.partial\/outputs\/\1/g, "$1")
    .replaceAll(/(?<=^|[\s"'`(=,:;[])\/(?:[^\s/"'`(),:;]+\/)+(?=[^\s/"'`(),:;])/g, "…/");
}
