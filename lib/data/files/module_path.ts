/** Recognises JavaScript and TypeScript modules by their names. @module */

const MODULE = /\.(ts|mts|js|mjs)$/;

/** Returns whether `text` is the path of a module, which may not exist. */
export function isModulePath(text: string): boolean {
  return MODULE.test(text);
}
