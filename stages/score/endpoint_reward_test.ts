/** Tests endpoints as external rewards over local sockets: requests, retries and errors. @module */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  DataError,
  exitCodeOf,
  TryAgainError,
  UnavailableError,
  UsageError,
} from "@/lib/compute/tensor/errors.ts";
import { type Judge, JudgeServer, SILENCE } from "@/tests/support/judge_server.ts";
import { type EndpointOptions, endpointReward } from "./endpoint_reward.ts";
import type { ExternalRow } from "./external_reward.ts";

const ROWS: readonly ExternalRow[] = ["a", "b", "c"].map((id, i) => ({
  id,
  prompt_id: `p${i}`,
  prompt: "<s>Say",
  response: "x".repeat(i + 1),
  meta: { answer: i },
  ended: i !== 1,
  reward: 0.1 + i,
}));
const byLength: Judge = ({ rows }) => ({ rewards: rows.map(({ response }) => response.length / 10) });

/** Returns an endpoint reward that does not wait, with its messages and pauses. */
function patient(url: string, given: Partial<EndpointOptions> = {}) {
  const messages: string[] = [], pauses: number[] = [];
  const options: EndpointOptions = {
    url,
    timeoutMs: 60_000,
    attempts: 4,
    batch: null,
    signal: new AbortController().signal,
    onRetry: (line) => messages.push(line),
    pause: (ms) => Promise.resolve(void pauses.push(ms)),
    ...given,
  };
  return { reward: endpointReward(options), messages, pauses };
}

/** Replies to the requests with these, one after the other; to all further ones with the last. */
function inTurn(...replies: readonly (Judge | Response)[]): Judge {
  let turn = 0;
  return (asked) => {
    const reply = replies[Math.min(turn++, replies.length - 1)]!;
    return reply instanceof Response ? reply : reply(asked);
  };
}
const status = (code: number, body: string | null = null, headers: Record<string, string> = {}) =>
  new Response(body, { status: code, headers });

async function refusal(promise: Promise<unknown>): Promise<[message: string, exitCode: number]> {
  const error = await assertRejects(() => promise, Error);
  return [error.message, exitCodeOf(error)];
}

Deno.test("an endpoint receives an iteration's rows in snake_case, once, and its numbers arrive bit for bit", async () => {
  const numbers = [0.1 + 0.2, -1e-300, 12345678901234.567];
  await using judge = new JudgeServer(() => ({ rewards: numbers, comment: "further keys are allowed" }));
  const { reward, messages } = patient(judge.url("/score?version=2"), { token: "abc" });
  assertEquals(await reward(ROWS), numbers);
  const [{ method, path, headers, rows }] = judge.asked as [typeof judge.asked[number]];
  assertEquals([method, path], ["POST", "/score?version=2"]);
  assertEquals(
    [headers.get("Content-Type"), headers.get("Authorization")],
    ["application/json", "Bearer abc"],
  );
  assertEquals(rows[1], {
    id: "b",
    prompt_id: "p1",
    prompt: "<s>Say",
    response: "xx",
    meta: { answer: 1 },
    ended: false,
    reward: 1.1,
  });
  assertEquals([rows.length, judge.asked.length, messages], [3, 1, []]);
});

Deno.test("an iteration may be sent in batches, each with its own reply", async () => {
  await using judge = new JudgeServer(byLength);
  assertEquals(await patient(judge.url(), { batch: 2 }).reward(ROWS), [0.1, 0.2, 0.3]);
  assertEquals(judge.asked.map(({ rows }) => rows.map(({ id }) => id)), [["a", "b"], ["c"]]);
  assertEquals(judge.asked[0]!.headers.get("Authorization"), null);
  assertEquals(await patient(judge.url()).reward([]), []);
  // Three numbers for two rows and then none for one: as many as rows in total, but an error.
  await using wrong = new JudgeServer(({ rows }) => ({ rewards: rows.length === 2 ? [1, 2, 3] : [] }));
  assertEquals(await refusal(patient(wrong.url(), { batch: 2 }).reward(ROWS)), [
    `external reward ${wrong.url()} must return 2 finite numbers, one per row, got 3 values`,
    65,
  ]);
});

Deno.test("a request to a busy or broken endpoint is retried after increasing pauses", async () => {
  await using judge = new JudgeServer(inTurn(
    status(503, "starting"),
    status(429, null, { "Retry-After": "7" }),
    status(500, null, { "Retry-After": "100000" }),
    byLength,
  ));
  const { reward, messages, pauses } = patient(judge.url());
  assertEquals(await reward(ROWS), [0.1, 0.2, 0.3]);
  assertEquals(pauses, [1000, 7000, 30_000]);
  assertEquals(messages, [
    `external reward ${judge.url()}: got status 503 "starting"; attempt 2 of 4 in 1 s`,
    `external reward ${judge.url()}: got status 429 ""; attempt 3 of 4 in 7 s`,
    `external reward ${judge.url()}: got status 500 ""; attempt 4 of 4 in 30 s`,
  ]);
  assertEquals(judge.asked.map(({ rows }) => rows), new Array(4).fill(judge.asked[0]!.rows));
});

Deno.test("an endpoint that stays broken is an error with its status and the beginning of its reply", async () => {
  await using judge = new JudgeServer(() => status(502, `token abc ${"é".repeat(300)}`));
  const { reward, pauses } = patient(judge.url(), { attempts: 3, token: "abc" });
  assertEquals(await refusal(reward(ROWS)), [
    `Request to external reward ${judge.url()} failed: got status 502 "token … ${
      "é".repeat(192)
    }" (3 attempts)`,
    69,
  ]);
  assertEquals(pauses, [1000, 2000]);
});

Deno.test("other statuses are not retried, and a redirect is not followed", async () => {
  const to = "http://user:secret@other.example/place";
  for (
    const [reply, what] of [
      [status(404, "no such model"), 'got status 404 "no such model"'],
      [status(401), 'got status 401 ""'],
      [
        status(307, null, { Location: to }),
        "got status 307, a redirect to http://other.example/place, which is not followed",
      ],
      [status(304), "got status 304, a redirect to no valid address, which is not followed"],
    ] as const
  ) {
    await using judge = new JudgeServer(() => reply);
    assertEquals(await refusal(patient(judge.url()).reward(ROWS)), [
      `Request to external reward ${judge.url()} failed: ${what}`,
      69,
    ]);
    assertEquals(judge.asked.length, 1);
  }
});

Deno.test("a request without a reply in time is retried, then fails", async () => {
  await using judge = new JudgeServer(() => SILENCE);
  const { reward, messages } = patient(judge.url(), { timeoutMs: 20, attempts: 2 });
  assertEquals(await refusal(reward(ROWS)), [
    `Request to external reward ${judge.url()} failed: no reply within 0.02 s (2 attempts)`,
    69,
  ]);
  assertEquals(messages, [
    `external reward ${judge.url()}: no reply within 0.02 s; attempt 2 of 2 in 1 s`,
  ]);
});

Deno.test("a request to an unreachable endpoint is retried, and its address is shown without a login", async () => {
  let address = "";
  {
    await using judge = new JudgeServer(byLength);
    address = judge.host;
  }
  const { reward, pauses } = patient(`http://user:secret@${address}/`, { attempts: 2 });
  const error = await assertRejects(() => reward(ROWS), UnavailableError);
  assertEquals(
    error.message.replace(/ \(os error \d+\)/, ""),
    `Request to external reward http://${address}/ failed: client error (Connect): tcp connect error: ` +
      "Connection refused (2 attempts)",
  );
  assertEquals(pauses, [1000]);
});

Deno.test("a stop ends a request in progress, and a pause", async () => {
  const stopped = "Interrupted: this iteration is discarded. Run the same command to resume";
  const stop = new AbortController();
  await using judge = new JudgeServer(() => {
    stop.abort();
    return SILENCE;
  });
  await assertRejects(
    () => patient(judge.url(), { signal: stop.signal }).reward(ROWS),
    TryAgainError,
    stopped,
  );
  assertEquals(judge.asked.length, 1);

  await using busy = new JudgeServer(() => status(503));
  const again = new AbortController();
  const options: EndpointOptions = {
    url: busy.url(),
    timeoutMs: 60_000,
    attempts: 9,
    batch: null,
    signal: again.signal,
    onRetry: () => queueMicrotask(() => again.abort()), // when the pause begins, by the real timer
  };
  await assertRejects(() => endpointReward(options)(ROWS), TryAgainError, stopped);
  assertEquals(busy.asked.length, 1);
});

Deno.test("a reply that is not JSON with finite numbers is an error, as a module's result is", async () => {
  const cases: [reply: unknown, message: string][] = [
    [
      new Response('{"rewards":[1,NaN,2]}'),
      'must return a JSON object with "rewards", got "{\\"rewards\\":[1,NaN,2]}"',
    ],
    [[1, 2, 3], 'must return a JSON object with "rewards", got "[1,2,3]"'],
    [{ scores: [1] }, 'must return a JSON object with "rewards", got "{\\"scores\\":[1]}"'],
    [{ rewards: [1, 2] }, "must return 3 finite numbers, one per row, got 2 values"],
    [{ rewards: 5 }, "must return 3 finite numbers, one per row, got 5"],
  ];
  for (const [reply, message] of cases) {
    await using judge = new JudgeServer(() => reply);
    assertEquals(await refusal(patient(judge.url()).reward(ROWS)), [
      `external reward ${judge.url()} ${message}`,
      65,
    ]);
  }
  await using judge = new JudgeServer(() => ({ rewards: [1, null, "2"] }));
  const error = await assertRejects(() => patient(judge.url()).reward(ROWS), DataError);
  assertEquals(
    error.message,
    `external reward ${judge.url()} must return 3 finite numbers, one per row, got null for "b"; 2 for "c"`,
  );
});

Deno.test("a reply of more than 1 MiB and 1 KiB per row is an error, and one of that size is not", async () => {
  const most = 2 ** 20 + 3 * 2 ** 10, empty = '{"rewards":[1,2,3],"comment":""}';
  const reply = (bytes: number) => empty.replace('""', `"${"x".repeat(bytes - empty.length)}"`);
  await using judge = new JudgeServer(
    inTurn(() => new Response(reply(most)), () => new Response(reply(most + 1))),
  );
  const { reward } = patient(judge.url());
  assertEquals(await reward(ROWS), [1, 2, 3]);
  assertEquals(await refusal(reward(ROWS)), [
    `external reward ${judge.url()} must return at most ${most} bytes, got more`,
    65,
  ]);
});

Deno.test("a long reply that says why a request failed is shown in part", async () => {
  await using judge = new JudgeServer(() => status(400, "x".repeat(10 ** 6)));
  assertEquals(await refusal(patient(judge.url()).reward(ROWS)), [
    `Request to external reward ${judge.url()} failed: got status 400 "${"x".repeat(200)}"`,
    69,
  ]);
});

Deno.test("a token that cannot be sent in a header is an error that does not show it", () => {
  const error = assertThrows(() => patient("http://a/", { token: "a secret" }), UsageError);
  assertEquals(
    error.message,
    "SRPPO_URL_TOKEN must be printable ASCII without spaces (its value is not shown)",
  );
  assert(!error.message.includes("secret"));
});
