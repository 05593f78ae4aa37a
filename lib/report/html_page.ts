/**
 * The frame of a page: one file that loads nothing, enforced by a content security policy, with the style and the script
 * that all pages of this project share.
 * @module
 */
import { type Html, type HtmlValue, markup } from "./html.ts";
import { SCRIPT, STYLE } from "./page_style.ts";

/** Returns the hash by which a content security policy allows this script and no other. */
async function scriptHash(script: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script)));
  return `sha256-${digest.toBase64()}`;
}

/**
 * Returns a whole document.
 * @param style CSS of this page beside the shared one; must be a constant of this project, because it is not escaped
 */
export async function htmlPage(
  { title, body, style: own = "" }: {
    readonly title: string;
    readonly body: HtmlValue;
    readonly style?: string;
  },
): Promise<string> {
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src '${await scriptHash(SCRIPT)}'`;
  // Constants of this project, without data of a run.
  const style: Html = { markup: `<style>${STYLE}${own}</style>` };
  const script: Html = { markup: `<script>${SCRIPT}</script>` };
  return markup`
    <!doctype html>
    <html lang="en">
      <head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
    <meta http-equiv="Content-Security-Policy" content="${policy}">
    <title>${title}</title>${style}</head>
      <body><main>
    ${body}
    </main>${script}</body>
    </html>
  `.markup;
}
