/** A local HTTP endpoint that returns rewards, like an external reward endpoint of a user. @module */

/** A row of a request. */
export interface JudgedRow {
  readonly id: string;
  readonly prompt_id: string;
  readonly prompt: string;
  readonly response: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly ended: boolean;
  readonly reward: number;
}

/** A received request. */
export interface Asked {
  readonly method: string;
  /** with the query */
  readonly path: string;
  readonly headers: Headers;
  readonly rows: readonly JudgedRow[];
}

/** Returns the response to a request: a JSON body, a Response, or {@linkcode SILENCE}. */
export type Judge = (asked: Asked) => unknown;

/** Returned to send no response while the server runs. */
export const SILENCE = Symbol("no response");

/** Listens on a free port of 127.0.0.1 until it is disposed. */
export class JudgeServer implements AsyncDisposable {
  /** requests so far, in order */
  readonly asked: Asked[] = [];
  readonly #end = Promise.withResolvers<void>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(judge: Judge) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const { pathname, search } = new URL(request.url), { method, headers } = request;
      const { rows } = await request.json();
      const asked = { method, path: pathname + search, headers, rows };
      this.asked.push(asked);
      const result = await judge(asked);
      if (result === SILENCE) return await this.#end.promise.then(() => new Response());
      return result instanceof Response ? result : Response.json(result);
    });
  }

  /** `127.0.0.1:port` */
  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  /** Returns the URL of `path`. */
  url(path = "/"): string {
    return `http://${this.host}${path}`;
  }

  /** Stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.resolve();
    await this.#server.shutdown();
  }
}
