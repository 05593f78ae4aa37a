/** An HTTP endpoint on this machine that gives rewards, as a user's own would be. @module */

/** A row as it arrives. */
export interface JudgedRow {
  readonly id: string;
  readonly prompt_id: string;
  readonly prompt: string;
  readonly response: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly ended: boolean;
  readonly reward: number;
}

/** A request that came. */
export interface Asked {
  readonly method: string;
  /** with the query */
  readonly path: string;
  readonly headers: Headers;
  readonly rows: readonly JudgedRow[];
}

/** What a judge says to a request: a body as JSON, a response of its own, or {@linkcode SILENCE}. */
export type Judge = (asked: Asked) => unknown;

/** Said of a request that gets no answer while the server is there. */
export const SILENCE = Symbol("no answer");

/** Listens on a free port of 127.0.0.1 until it is disposed of. */
export class JudgeServer implements AsyncDisposable {
  /** requests so far, in their order */
  readonly asked: Asked[] = [];
  readonly #end = Promise.withResolvers<void>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(judge: Judge) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const { pathname, search } = new URL(request.url), { method, headers } = request;
      const { rows } = await request.json();
      const asked = { method, path: pathname + search, headers, rows };
      this.asked.push(asked);
      const said = await judge(asked);
      if (said === SILENCE) return await this.#end.promise.then(() => new Response());
      return said instanceof Response ? said : Response.json(said);
    });
  }

  /** `127.0.0.1:port` */
  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  /** Address of `path`. */
  url(path = "/"): string {
    return `http://${this.host}${path}`;
  }

  /** Stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.resolve();
    await this.#server.shutdown();
  }
}
