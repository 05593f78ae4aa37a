/**
 * The checks that every request to the server passes before a route reads it: who may send it, and from which web pages.
 *
 * Without a token, everything on this machine that reaches the socket may run stages; a browser reaches it for any web page.
 * So the `Host` header must name this machine (a page whose domain was pointed here sends its own name), a page of another
 * origin is refused, and a body must be declared as JSON, which a page can only send after a preflight request.
 * @module
 */
import type { Context, Next } from "hono";
import { createHash, timingSafeEqual } from "node:crypto";

/** Whom the server trusts. */
export interface GuardSettings {
  /** bearer token that every route but /healthz requires */
  readonly token?: string;
  /** origins of other web pages that may send requests with the token, as browsers spell them */
  readonly allowedOrigins?: readonly string[];
}

/** Responds to a request that is not allowed. */
type Refuse = (c: Context, status: 401 | 403 | 415, message: string) => Response;

type Middleware = (c: Context, next: Next) => Promise<Response | void>;

/** Headers of every response: browsers and proxies must neither guess its type nor store it. */
export const SAFE_HEADERS = { "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store" } as const;

/** Returns whether `host`, a name or address without a port, always means this machine. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}

/** Returns the middleware that refuses requests by their `Host` and `Origin` and answers preflight requests. */
export function checkSender({ token, allowedOrigins = [] }: GuardSettings, refuse: Refuse): Middleware {
  return async (c, next) => {
    const host = c.req.header("Host") ?? "", origin = c.req.header("Origin");
    if (token === undefined && c.req.path !== "/healthz" && !namesThisMachine(host, c.req.url)) {
      return refuse(
        c,
        403,
        `Host must be localhost or a loopback address with the server's port, got "${host.slice(0, 200)}"`,
      );
    }
    if (origin === undefined || isOwn(origin, host)) return await next();
    if (token === undefined || !allowedOrigins.includes(origin)) {
      const message = `Origin must be the server's own or one of --allow-origin, got "${
        origin.slice(0, 200)
      }"`;
      return refuse(c, 403, message);
    }
    c.header("Access-Control-Allow-Origin", origin);
    c.header("Access-Control-Expose-Headers", "Retry-After");
    c.header("Vary", "Origin");
    if (c.req.method !== "OPTIONS") return await next();
    c.header("Access-Control-Allow-Methods", "GET, POST");
    c.header("Access-Control-Allow-Headers", ["Authorization, Content-Type", ...sdkHeaders(c)].join(", "));
    c.header("Access-Control-Max-Age", "600");
    return c.body(null, 204);
  };
}

/** Returns those headers of a preflight request that OpenAI's clients send: they describe the client, and are not read. */
function sdkHeaders(c: Context): string[] {
  const names = (c.req.header("Access-Control-Request-Headers") ?? "").split(",").map((name) => name.trim());
  return names.filter((name) => /^(?:x-stainless-[a-z-]+|openai-[a-z]+)$/i.test(name));
}

/** Returns whether a `Host` header names this machine and the port of `url`, at which the request arrived. */
function namesThisMachine(host: string, url: string): boolean {
  const [, name = "", port = "80"] = /^(.*?)(?::(\d{1,5}))?$/s.exec(host) ?? [];
  return isLoopback(name) && Number(port) === Number(new URL(url).port || 80) && name !== "::1";
}

/** Returns whether `origin` is the one of pages that this server itself would send. */
function isOwn(origin: string, host: string): boolean {
  return host !== "" && [`http://${host}`, `https://${host}`].includes(origin.toLowerCase());
}

/**
 * Returns the middleware that requires the token, if there is one. It compares digests, so that the time depends neither on
 * how much of the token is right nor on its length.
 */
export function requireToken(token: string | undefined, refuse: Refuse): Middleware {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const wanted = token === undefined ? undefined : digest(`Bearer ${token}`);
  return async (c, next) => {
    const given = digest((c.req.header("Authorization") ?? "").replace(/^bearer /i, "Bearer "));
    if (wanted === undefined || timingSafeEqual(given, wanted)) return await next();
    c.header("WWW-Authenticate", "Bearer");
    return refuse(c, 401, "This request requires the server's token: Authorization: Bearer TOKEN");
  };
}

/** Returns the middleware that requires bodies to be declared as JSON: a web page can send other types anywhere. */
export function requireJson(refuse: Refuse): Middleware {
  return async (c, next) => {
    const type = c.req.header("Content-Type") ?? "";
    if (c.req.method !== "POST" || /^application\/json\s*(?:;|$)/i.test(type.trim())) return await next();
    return refuse(c, 415, `Content-Type must be application/json, got "${type.slice(0, 200)}"`);
  };
}
