/** The OpenAI-compatible routes, by the npm package `openai`, which this project did not write. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import OpenAI from "openai";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { Generator } from "@/lib/model/generate/generator.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { type ModelServer, withModelServer } from "@/tests/support/model_server.ts";

const DIRECTORY = "fixtures/stories260k";
const MODEL = ["--model", `stories=${DIRECTORY}`];
const PROMPT = "Once upon a time";

/** Returns a client that does not try again. */
function clientOf({ address }: ModelServer, apiKey = "none"): OpenAI {
  return new OpenAI({ baseURL: `${address}/v1`, apiKey, maxRetries: 0 });
}

/** Waits until the server has no request in progress. */
async function idle({ address }: ModelServer): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const { requests } = await (await fetch(`${address}/healthz`)).json();
    if (requests === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("The server must become idle");
}

Deno.test("npm openai: models, completions of texts and ids, seeds, stops, log-probabilities, echo, streams", async () => {
  await withModelServer(MODEL, async (server) => {
    const client = clientOf(server), tokenizer = loadTokenizer(DIRECTORY);
    const models = await client.models.list();
    assertEquals(models.data.map(({ id }) => id), ["stories"]);
    assertEquals((await client.models.retrieve("stories")).object, "model");

    const ids = Array.from(await tokenizer.encode(PROMPT));
    const { model, parameters } = loadModel(DIRECTORY);
    const offline = new Generator(model, parameters).generate({
      prompts: [0, 1].map((sample) => ({ id: String(sample), ids: Int32Array.from(ids) })),
      sampling: { temperature: 0.8 },
      maxNewTokens: 24,
      eosIds: tokenizer.eosIds,
      seed: 7,
      batchSize: 2,
      logprobsT1: true,
    });
    const settings = { model: "stories", max_tokens: 24, temperature: 0.8, seed: 7, n: 2 };
    const sampled = await client.completions.create({ ...settings, prompt: PROMPT, logprobs: 2 });
    const before = tokenizer.decode(ids, { skipSpecial: true });
    offline.forEach(({ responseIds, logprobsT1 }, i) => {
      const { text, logprobs, finish_reason: reason } = sampled.choices[i]!;
      assertEquals(before + text, tokenizer.decode([...ids, ...responseIds], { skipSpecial: true }));
      assertEquals(reason, "length");
      logprobs!.token_logprobs!.forEach((x, t) => assert(Math.abs(x - logprobsT1![t]!) < 1e-4));
      assertEquals(logprobs!.tokens!.join(""), text);
      assertEquals(text.slice(logprobs!.text_offset![5]!).startsWith(logprobs!.tokens![5]!), true);
    });
    assertEquals(sampled.usage, { prompt_tokens: 5, completion_tokens: 48, total_tokens: 53 });

    const byIds = await client.completions.create({ ...settings, prompt: [ids, ids] });
    const texts = sampled.choices.map(({ text }) => text);
    assertEquals(byIds.choices.map(({ text }) => text), [...texts, ...texts]);
    assertEquals(byIds.choices.map(({ index }) => index), [0, 1, 2, 3]);

    const parts = ["", ""], reasons: unknown[] = [];
    for await (
      const { choices } of await client.completions.create({ ...settings, prompt: PROMPT, stream: true })
    ) {
      for (const { index, text, finish_reason: reason } of choices) {
        parts[index] += text;
        if (reason) reasons.push(reason);
      }
    }
    assertEquals(parts, texts);
    assertEquals(reasons, ["length", "length"]);

    // A stop text that begins in one token and ends in another.
    const stop = texts[0]!.slice(7, 12), first = texts[0]!.indexOf(stop);
    const stopped = await client.completions.create({
      ...settings,
      n: 1,
      prompt: PROMPT,
      stop: [stop, "never"],
    });
    assertEquals(stopped.choices[0]!.text, texts[0]!.slice(0, first));
    assertEquals(stopped.choices[0]!.finish_reason, "stop");

    for (const most of [0, 1]) {
      const echoed = await client.completions.create(
        { model: "stories", prompt: ids, max_tokens: most, echo: true, logprobs: 1, temperature: 0 },
      );
      const { token_logprobs: found, top_logprobs: tops } = echoed.choices[0]!.logprobs!;
      const wanted = tokenLogprobs(new Network(model, parameters), [{
        ids,
        targets: targetsFrom(1, ids.length),
      }]);
      assertEquals(found!.length, ids.length + most);
      assertEquals(found![0], null as unknown as number);
      wanted[0]!.forEach((x, t) => assert(Math.abs(x - found![t + 1]!) < 1e-5));
      // lm-evaluation-harness finds out by this whether a token is the most probable one.
      assert(tops!.slice(1).every((top, t) => Math.max(...Object.values(top)) >= found![t + 1]!));
      assertEquals(tops!.slice(1).some((top, t) => Math.max(...Object.values(top)) === found![t + 1]), true);
    }
  });
});

Deno.test("npm openai: chat by a template, whole and streamed, with log-probabilities and usage", async () => {
  await withModelServer([...MODEL, "--chat-template", "chatml"], async (server) => {
    const client = clientOf(server);
    const body = {
      model: "stories",
      messages: [
        { role: "system" as const, content: "Tell a story." },
        { role: "user" as const, content: [{ type: "text" as const, text: PROMPT }] },
      ],
      max_completion_tokens: 12,
      seed: 3,
      n: 2,
      logprobs: true,
      top_logprobs: 3,
    };
    const whole = await client.chat.completions.create(body);
    const [choice] = whole.choices;
    assertEquals(whole.object, "chat.completion");
    assertEquals(choice!.message.role, "assistant");
    assertEquals(choice!.logprobs!.content!.map(({ token }) => token).join(""), choice!.message.content);
    assertEquals(choice!.logprobs!.content![0]!.top_logprobs.length, 3);
    const texts = ["", ""];
    let usage: unknown;
    const stream = await client.chat.completions.create(
      { ...body, stream: true, stream_options: { include_usage: true } },
    );
    for await (const chunk of stream) {
      usage = chunk.usage ?? usage;
      for (const { index, delta } of chunk.choices) texts[index] += delta.content ?? "";
    }
    assertEquals(texts, whole.choices.map(({ message }) => message.content!));
    assertEquals(usage, whole.usage);
    // The rendered text, as a plain completion, has the same response.
    const rendered = "<|im_start|>system\nTell a story.<|im_end|>\n<|im_start|>user\n" +
      `${PROMPT}<|im_end|>\n<|im_start|>assistant\n`;
    const prompt = Array.from(await loadTokenizer(DIRECTORY).encode(rendered, { special: false }));
    const plain = await client.completions.create({ model: "stories", prompt, max_tokens: 12, seed: 3 });
    assertEquals(plain.choices[0]!.text, whole.choices[0]!.message.content!);
  });
});

Deno.test("errors have OpenAI's format and name the field; models without a template refuse messages", async () => {
  await withModelServer(MODEL, async (server) => {
    const client = clientOf(server), good = { model: "stories", prompt: PROMPT };
    const refused = async (body: object, path = "/completions") =>
      await assertRejects(() => client.post(path, { body }), OpenAI.APIError);
    const cases: [object, number, string | null, RegExp][] = [
      [{ ...good, model: "gpt" }, 404, "model", /Unknown model "gpt", known are stories/],
      [{ ...good, foo: 1, bar: 2 }, 400, "foo", /unknown fields: foo, bar/],
      [
        { ...good, logit_bias: { 5: 1 }, best_of: 2 },
        400,
        "logit_bias",
        /unsupported fields: logit_bias, best_of/,
      ],
      [{ ...good, temperature: 3 }, 400, "temperature", /temperature/],
      [{ ...good, max_tokens: 600 }, 400, null, /maximum context length is 512 tokens, got 5 .* and 600/],
      [{ ...good, prompt: "" + "", n: 500 }, 400, "n", /n:/],
      [{ ...good, prompt: [1, 99999] }, 400, null, /ids from 0 to 511: prompt 0 has 99999/],
      [{ ...good, stream_options: { include_usage: true } }, 400, "stream_options", /requires stream=true/],
    ];
    for (const [body, status, param, message] of cases) {
      const error = await refused(body);
      assertEquals([error.status, error.param], [status, param]);
      assertMatch(error.message, message);
    }
    const chat = await refused(
      { model: "stories", messages: [{ role: "user", content: "Hi" }] },
      "/chat/completions",
    );
    assertMatch(chat.message, /400 messages require a chat template, got a model without one/);
    // Values that change nothing, and fields about the caller, are accepted.
    const idle = { logit_bias: {}, presence_penalty: 0, best_of: 1, user: "me", suffix: null };
    assertEquals((await client.completions.create({ ...good, ...idle, max_tokens: 1 })).choices.length, 1);
    const text = await fetch(`${server.address}/v1/completions`, { method: "POST", body: "{" });
    assertEquals([text.status, (await text.json()).error.type], [415, "invalid_request_error"]);
  });
});

Deno.test("equal seeds give equal texts, whatever shares the batch", async () => {
  await withModelServer([...MODEL, "--max-sequences", "8"], async (server) => {
    const client = clientOf(server);
    const ask = async (seed: number) => {
      const prompt = seed % 2 === 0 ? PROMPT : "Tim and Lily went to the park. They saw a";
      const body = {
        model: "stories",
        prompt,
        seed,
        max_tokens: 10 + 3 * seed,
        top_p: seed % 3 === 0 ? 0.9 : 1,
      };
      const { choices } = await client.completions.create({
        ...body,
        temperature: 0.5 + seed / 20,
        logprobs: 1,
      });
      return [choices[0]!.text, choices[0]!.logprobs!.token_logprobs];
    };
    const seeds = Array.from({ length: 20 }, (_, seed) => seed);
    const together = await Promise.all(seeds.map(ask));
    for (const seed of [0, 1, 6, 19]) assertEquals(await ask(seed), together[seed]);
  });
});

Deno.test("a full queue is 429 with Retry-After, and a client that disconnects frees its slot", async () => {
  await withModelServer([...MODEL, "--max-sequences", "1", "--max-queue", "0"], async (server) => {
    const client = clientOf(server),
      long = { model: "stories", prompt: PROMPT, max_tokens: 500, ignore_eos: true };
    const many = await assertRejects(
      () => client.completions.create({ ...long, n: 2 }),
      OpenAI.BadRequestError,
    );
    assertMatch(many.message, /at most 1 responses \(prompts · n\), got 2/);
    for (const stream of [true, false]) {
      const controller = new AbortController();
      const running = client.completions.create({ ...long, stream }, { signal: controller.signal });
      if (stream) {
        for await (const _ of (await running) as AsyncIterable<unknown>) break; // disconnects
      } else {
        running.catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 30));
        const full = await assertRejects(() => client.completions.create(long), OpenAI.RateLimitError);
        assertEquals(full.headers.get("retry-after"), "1");
        assertEquals(full.code, "queue_full");
        controller.abort();
        await assertRejects(() => running, OpenAI.APIUserAbortError);
      }
      await idle(server);
      assertEquals((await client.completions.create({ ...long, max_tokens: 3 })).choices.length, 1);
    }
  });
});

Deno.test("a token, Host and Origin are checked as for stages, and browsers' preflight requests are answered", async () => {
  const token = "a-token-of-the-server", origin = "https://app.example";
  await withModelServer([...MODEL, "--allow-origin", origin], async (server) => {
    const wrong = await assertRejects(
      () => clientOf(server, "wrong").models.list(),
      OpenAI.AuthenticationError,
    );
    assertMatch(wrong.message, /requires the server's token/);
    assertEquals((await clientOf(server, token).models.list()).data.length, 1);
    const headers = {
      Origin: origin,
      "Access-Control-Request-Headers": "authorization,x-stainless-lang,x-other",
    };
    const preflight = await fetch(`${server.address}/v1/models`, { method: "OPTIONS", headers });
    assertEquals(preflight.status, 204);
    const allowed = preflight.headers.get("access-control-allow-headers");
    assertEquals(allowed, "Authorization, Content-Type, x-stainless-lang");
    const other = await fetch(`${server.address}/v1/models`, {
      headers: { Origin: "https://other.example" },
    });
    assertEquals([other.status, (await other.json()).error.type], [403, "permission_error"]);
  }, token);
});

Deno.test("a stopping server completes requests in progress, refuses new ones, and interrupts after --grace", async () => {
  for (const [grace, tokens, code] of [["20", 100, 0], ["1", 100_000, 75]] as const) {
    await withModelServer([...MODEL, "--grace", grace], async (server) => {
      const client = clientOf(server);
      await client.completions.create({ model: "stories", prompt: PROMPT, max_tokens: 1 }); // loads the model
      const body = { model: "stories", prompt: PROMPT, ignore_eos: true };
      // Many short requests take long together, within the context of this small model.
      const requests = Array.from(
        { length: tokens > 500 ? 200 : 1 },
        () =>
          client.completions.create({ ...body, max_tokens: Math.min(tokens, 500) }).then(
            () => "done",
            ({ status }) => status,
          ),
      );
      await new Promise((resolve) => setTimeout(resolve, 300));
      const ended = server.stop();
      const late = await client.completions.create(body).then(() => "done", ({ status }) => status);
      assertEquals(late, 503);
      assertEquals(await ended, code);
      const results = await Promise.all(requests);
      if (code === 0) assertEquals(results, ["done"]);
      else assert(results.includes(503));
    });
  }
});
