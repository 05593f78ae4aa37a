/**
 * Characters of foreign text that a terminal would execute, or that change the order in which it shows a line: with them, a
 * file name or a response could look like another message.
 * @module
 */

/** Marks, embeddings, overrides and isolates of bidirectional text. */
const BIDIRECTIONAL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** Returns `text` with bidirectional control characters as escapes, such as `\u202e`. */
export function escapeBidirectional(text: string): string {
  return text.replace(BIDIRECTIONAL, escaped);
}

/** Returns `text` with all control characters but line feeds and tabs as escapes, such as `\u001b`. */
export function escapeControls(text: string): string {
  return escapeBidirectional(text.replace(CONTROL, escaped));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
