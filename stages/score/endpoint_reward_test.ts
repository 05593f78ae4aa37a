/** Endpoints as external rewards, over sockets of this machine: what is sent, what is asked again, and what is refused. @module */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DataError, exitCodeOf, TryAgainError, UnavailableError, UsageError } from "@/lib/tensor/errors.ts";
import { type Judge, JudgeServer, SILENCE } from "@/tests/support/judge_server.ts";
import { type EndpointOptions, endpointReward } from "./endpoint_reward.ts";
import type { ExternalRow } from "./external_reward.ts";

const ROWS: readonly ExternalRow[] = ["a", "b", "c"].map((id, i) => ({
  id,
  promptId: `p${i}`,
  prompt: "<s>Say",
  response: "x".repeat(i + 1),
  meta: { answer: i },
  ended: i !== 1,
  reward: 0.1 + i,
}));
const byLength: Judge = ({ rows }) => ({ rewards: rows.map(({ response }) => response.length / 10) });

/** Settings of a test: nothing waits, and what is told and waited for is kept. */
function patient(url: string, given: Partial<EndpointOptions> = {}) {
  const told: string[] = [], pauses: number[] = [];
  const options: EndpointOptions = {
    url,
    timeoutMs: 60_000,
    attempts: 4,
    batch: null,
    signal: new AbortController().signal,
    tell: (line) => told.push(line),
    pause: (ms) => Promise.resolve(void pauses.push(ms)),
    ...given,
  };
  return { reward: endpointReward(options), told, pauses };
}

/** Answers the requests that come with these, one after the other; the last one for good. */
function inTurn(...answers: readonly (Judge | Response)[]): Judge {
  let turn = 0;
  return (asked) => {
    const answer = answers[Math.min(turn++, answers.length - 1)]!;
    return answer instanceof Response ? answer : answer(asked);
  };
}
const status = (code: number, body: string | null = null, headers: Record<string, string> = {}) =>
  new Response(body, { status: code, headers });

async function refusal(promise: Promise<unknown>): Promise<[message: string, exitCode: number]> {
  const error = await assertRejects(() => promise, Error);
  return [error.message, exitCodeOf(error)];
}

Deno.test("an endpoint is sent a round's rows in snake_case, once, and its numbers come back to the bit", async () => {
  const numbers = [0.1 + 0.2, -1e-300, 12345678901234.567];
  await using judge = new JudgeServer(() => ({ rewards: numbers, comment: "more may be said" }));
  const { reward, told } = patient(judge.url("/score?version=2"), { token: "abc" });
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
  assertEquals([rows.length, judge.asked.length, told], [3, 1, []]);
});

Deno.test("a round may be sent in batches, each answered for itself", async () => {
  await using judge = new JudgeServer(byLength);
  assertEquals(await patient(judge.url(), { batch: 2 }).reward(ROWS), [0.1, 0.2, 0.3]);
  assertEquals(judge.asked.map(({ rows }) => rows.map(({ id }) => id)), [["a", "b"], ["c"]]);
  assertEquals(judge.asked[0]!.headers.get("Authorization"), null);
  assertEquals(await patient(judge.url()).reward([]), []);
  // Three numbers for two rows and then none for one: as many as rows in all, and wrong all the same.
  await using wrong = new JudgeServer(({ rows }) => ({ rewards: rows.length === 2 ? [1, 2, 3] : [] }));
  assertEquals(await refusal(patient(wrong.url(), { batch: 2 }).reward(ROWS)), [
    `Cannot use what external reward ${wrong.url()} gives as it must be a list of 2 numbers: there are 3`,
    65,
  ]);
});

Deno.test("an endpoint that is busy or broken is asked again, after longer and longer waits", async () => {
  await using judge = new JudgeServer(inTurn(
    status(503, "starting"),
    status(429, null, { "Retry-After": "7" }),
    status(500, null, { "Retry-After": "100000" }),
    byLength,
  ));
  const { reward, told, pauses } = patient(judge.url());
  assertEquals(await reward(ROWS), [0.1, 0.2, 0.3]);
  assertEquals(pauses, [1000, 7000, 30_000]);
  assertEquals(told, [
    `external reward ${judge.url()}: it answered 503 "starting"; attempt 2 of 4 in 1 s`,
    `external reward ${judge.url()}: it answered 429 ""; attempt 3 of 4 in 7 s`,
    `external reward ${judge.url()}: it answered 500 ""; attempt 4 of 4 in 30 s`,
  ]);
  assertEquals(judge.asked.map(({ rows }) => rows), new Array(4).fill(judge.asked[0]!.rows));
});

Deno.test("an endpoint that stays broken is given up, with its status and the beginning of what it says", async () => {
  await using judge = new JudgeServer(() => status(502, `token abc ${"é".repeat(300)}`));
  const { reward, pauses } = patient(judge.url(), { attempts: 3, token: "abc" });
  assertEquals(await refusal(reward(ROWS)), [
    `Cannot ask external reward ${judge.url()} as it must answer with 200: it answered 502 "token … ${
      "é".repeat(192)
    }" (3 attempts)`,
    69,
  ]);
  assertEquals(pauses, [1000, 2000]);
});

Deno.test("an endpoint that refuses is not asked again, and a redirect is not followed", async () => {
  const to = "http://user:secret@other.example/place";
  for (
    const [answer, what] of [
      [status(404, "no such model"), 'it answered 404 "no such model"'],
      [status(401), 'it answered 401 ""'],
      [
        status(307, null, { Location: to }),
        "it answered 307, a redirect to http://other.example/place, which is not followed",
      ],
      [status(304), "it answered 304, a redirect to nowhere, which is not followed"],
    ] as const
  ) {
    await using judge = new JudgeServer(() => answer);
    assertEquals(await refusal(patient(judge.url()).reward(ROWS)), [
      `Cannot ask external reward ${judge.url()} as it must answer with 200: ${what}`,
      69,
    ]);
    assertEquals(judge.asked.length, 1);
  }
});

Deno.test("an endpoint that does not answer in time is asked again, then given up", async () => {
  await using judge = new JudgeServer(() => SILENCE);
  const { reward, told } = patient(judge.url(), { timeoutMs: 20, attempts: 2 });
  assertEquals(await refusal(reward(ROWS)), [
    `Cannot ask external reward ${judge.url()} as it must answer with 200: it did not within 0.02 s (2 attempts)`,
    69,
  ]);
  assertEquals(told, [
    `external reward ${judge.url()}: it did not within 0.02 s; attempt 2 of 2 in 1 s`,
  ]);
});

Deno.test("an endpoint that is not there is asked again, and its address is shown without a login", async () => {
  let address = "";
  {
    await using judge = new JudgeServer(byLength);
    address = judge.host;
  }
  const { reward, pauses } = patient(`http://user:secret@${address}/`, { attempts: 2 });
  const error = await assertRejects(() => reward(ROWS), UnavailableError);
  assertEquals(
    error.message.replace(/ \(os error \d+\)/, ""),
    `Cannot ask external reward http://${address}/ as it must answer with 200: client error (Connect): tcp connect error: ` +
      "Connection refused (2 attempts)",
  );
  assertEquals(pauses, [1000]);
});

Deno.test("a stop ends a request under way, and a wait", async () => {
  const stopped = "Cannot finish score as a stop was asked for: the round is not kept";
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
    tell: () => queueMicrotask(() => again.abort()), // just when the wait begins, by the real timer
  };
  await assertRejects(() => endpointReward(options)(ROWS), TryAgainError, stopped);
  assertEquals(busy.asked.length, 1);
});

Deno.test("an answer that is no JSON with finite numbers is refused as a module's is", async () => {
  const cases: [answer: unknown, message: string][] = [
    [
      new Response('{"rewards":[1,NaN,2]}'),
      'must be a JSON object with "rewards": it is "{\\"rewards\\":[1,NaN,2]}"',
    ],
    [[1, 2, 3], 'must be a JSON object with "rewards": it is "[1,2,3]"'],
    [{ scores: [1] }, 'must be a JSON object with "rewards": it is "{\\"scores\\":[1]}"'],
    [{ rewards: [1, 2] }, "must be a list of 3 numbers: there are 2"],
    [{ rewards: 5 }, "must be a list of 3 numbers: it is 5"],
  ];
  for (const [answer, message] of cases) {
    await using judge = new JudgeServer(() => answer);
    assertEquals(await refusal(patient(judge.url()).reward(ROWS)), [
      `Cannot use what external reward ${judge.url()} gives as it ${message}`,
      65,
    ]);
  }
  await using judge = new JudgeServer(() => ({ rewards: [1, null, "2"] }));
  const error = await assertRejects(() => patient(judge.url()).reward(ROWS), DataError);
  assertEquals(
    error.message,
    `Cannot use what external reward ${judge.url()} gives as numbers must be finite: "b" gets null; "c" gets 2`,
  );
});

Deno.test("a token that no header can hold is refused without being shown", () => {
  const error = assertThrows(() => patient("http://a/", { token: "a secret" }), UsageError);
  assertEquals(
    error.message,
    "Cannot use SRPPO_URL_TOKEN as it must be printable ASCII without spaces: it is not",
  );
  assert(!error.message.includes("secret"));
});
