/**
 * The frame of a page: one file that loads nothing, held to that by a content security policy, with the style and the
 * script that all pages of this project share.
 * @module
 */
import { type Html, type HtmlValue, markup } from "./html.ts";
import { SCRIPT, STYLE } from "./page_style.ts";

/** A hash that lets the page's own script run under its content security policy, and no other. */
async function scriptHash(script: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script)));
  return `sha256-${digest.toBase64()}`;
}

/**
 * A whole document.
 * @param style CSS that this page has beside the shared one; a constant of this project, as it is not escaped
 */
export async function htmlPage(
  { title, body, style: own = "" }: {
    readonly title: string;
    readonly body: HtmlValue;
    readonly style?: string;
  },
): Promise<string> {
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src '${await scriptHash(SCRIPT)}'`;
  // All are constants of this project; none holds anything of a run.
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
