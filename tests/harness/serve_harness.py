"""Runs lm-evaluation-harness with its unmodified API models against a server, and with transformers on the same checkpoint,
and compares every document. Arguments: address of the server, model directory, documents per task. Prints one line per task;
exit code 1 if one differs."""
import sys

import torch
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from transformers import AutoModelForCausalLM, AutoTokenizer

ADDRESS, MODEL, LIMIT = sys.argv[1], sys.argv[2], int(sys.argv[3])
LOGLIKELIHOOD, TIE = 1e-3, 1e-4
LENGTH = 4096
SCORED = ["serve_cloze", "serve_words", "serve_gsm8k_answer", "serve_ifeval_answer"]
WRITTEN = ["serve_gsm8k", "serve_ifeval"]
tasks = TaskManager(include_path="tests/harness/serve_tasks", include_defaults=False)


def run(model, arguments, names, **options):
    """Returns the samples of each task by document, and its results."""
    found = simple_evaluate(
        model=model, model_args=arguments, tasks=names, limit=LIMIT, task_manager=tasks, log_samples=True, bootstrap_iters=0,
        batch_size=1, **options)
    samples = {name: sorted(found["samples"][name], key=lambda s: s["doc_id"]) for name in names}
    return samples, found["results"]


def server(path, **more):
    return {"model": "stories", "base_url": f"{ADDRESS}/v1/{path}", "tokenizer": MODEL, "max_length": LENGTH, **more}


def transformers(**more):
    # With its cache of logits, HFLM 0.4.13 returns other values where two documents share a context: direct calls of the model agree
    # with those without the cache.
    return {"logits_cache": False, "pretrained": MODEL, "dtype": "float32", "device": "cpu", "max_length": LENGTH, **more}


def gap(prompt_ids, ours, theirs):
    """Returns the difference of the two log-probabilities where two greedy texts part, in nats."""
    a, b = (tokenizer(text, add_special_tokens=False).input_ids for text in (ours, theirs))
    same = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    with torch.no_grad():
        logits = reference(torch.tensor([prompt_ids + b[:same]])).logits[0, -1]
    top = torch.log_softmax(logits, -1).topk(2).values
    return float(top[0] - top[1])


def plain(text):
    """Returns a response without its leading space: transformers decodes a response alone, without the space of its first token."""
    return text[1:] if text.startswith(" ") else text


failed = 0


def report(name, ok, details):
    global failed
    failed += not ok
    print(f"{'ok    ' if ok else 'FAILED'}  {name}: {details}", flush=True)


def compare_scores(title, ours, theirs, results):
    for name, mine in ours.items():
        pairs = [(float(a[0]), a[1] in (True, "True"), float(b[0]), b[1] in (True, "True"))
                 for x, y in zip(mine, theirs[name]) for a, b in zip(flat(x), flat(y))]
        largest = max(abs(a - b) for a, _, b, _ in pairs)
        greedy = sum(x != y for _, x, _, y in pairs)
        true = sum(y for *_, y in pairs)
        accuracy = results[name].get("acc,none")
        report(f"{title} {name}", largest <= LOGLIKELIHOOD and greedy == 0 and len(pairs) > 0,
               f"{len(mine)} documents, {len(pairs)} log-likelihoods, largest difference {largest:.1e}, "
               f"is_greedy differs {greedy} times ({true} true), accuracy {accuracy:.3f}")


def flat(sample):
    """Returns the pairs (log-likelihood, is_greedy) of a document."""
    return [pair for response in sample["resps"] for pair in (response if isinstance(response[0], (list, tuple)) else [response])]


def compare_texts(title, ours, theirs, special):
    for name, mine in ours.items():
        equal = ties = 0
        worst = 0.0
        for x, y in zip(mine, theirs[name]):
            a, b = plain(x["resps"][0][0]), plain(y["resps"][0][0])
            if a == b:
                equal += 1
                continue
            ids = tokenizer(y["arguments"][0][0], add_special_tokens=special).input_ids
            found = gap(ids, a, b)
            worst = max(worst, found)
            ties += found < TIE
        report(f"{title} {name}", equal + ties == len(mine),
               f"{len(mine)} documents, {equal} texts equal, {ties} differ after a tie (largest gap {worst:.1e})")


tokenizer = AutoTokenizer.from_pretrained(MODEL)
reference = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
# The harness adds a BOS token only if told so; chat templates write their own.
known, results = run("hf", transformers(add_bos_token=True), SCORED + WRITTEN)
scored, written = ({name: known[name] for name in names} for names in (SCORED, WRITTEN))
for concurrent in (1, 16):
    found, _ = run("local-completions", server("completions", add_bos_token=True, num_concurrent=concurrent), SCORED)
    compare_scores(f"local-completions, {concurrent} at a time,", found, scored, results)
found, _ = run("local-completions", server("completions", add_bos_token=True, num_concurrent=16), WRITTEN)
compare_texts("local-completions", found, written, True)
found, _ = run("local-completions", server("completions", tokenized_requests=False, num_concurrent=16), WRITTEN)
compare_texts("local-completions with texts", found, written, True)
chat, _ = run("hf", transformers(add_bos_token=False), WRITTEN, apply_chat_template=True)
found, _ = run("local-chat-completions", server("chat/completions", num_concurrent=16), WRITTEN, apply_chat_template=True)
compare_texts("local-chat-completions", found, chat, False)
sys.exit(failed > 0)
