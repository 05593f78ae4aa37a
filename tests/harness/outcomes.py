"""Writes goldens of benchmarks with lm-evaluation-harness's own functions: prompts, and outcomes of generated responses.

Arguments: ifeval.jsonl, GSM8K's test.jsonl and train.jsonl, the output directory, the number of responses per task, the seed.
"""

import importlib.util
import json
import os
import pathlib
import random
import sys

IFEVAL, TEST, TRAIN, OUT, COUNT, SEED = sys.argv[1:7]
OUT, COUNT, R = pathlib.Path(OUT), int(COUNT), random.Random(int(SEED))
STATIC = pathlib.Path(importlib.util.find_spec("llama_index").submodule_search_locations[0]) / "core/_static/nltk_cache"
os.environ["NLTK_DATA"] = str(STATIC)
os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_HOME"] = str(OUT / "cache")
os.environ["DISABLE_MULTIPROC"] = "1"

import langdetect

langdetect.DetectorFactory.seed = 0

import lm_eval.tasks
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import _yaml_loader

import cases


def check_punkt():
    """Compares Punkt's English parameters of two packages that do not depend on each other."""
    from punkt.data import english

    tab = STATIC / "tokenizers/punkt_tab/english"
    lines = lambda name: [line for line in (tab / name).read_text(encoding="utf-8").split("\n") if line]
    contexts = dict(line.split("\t") for line in lines("ortho_context.tab"))
    assert set(lines("abbrev_types.txt")) == set(english.ABBREV_TYPES)
    assert set(lines("sent_starters.txt")) == set(english.SENT_STARTERS)
    assert {tuple(line.split("\t")) for line in lines("collocations.tab")} == set(english.COLLOCATIONS)
    assert {key: int(value) for key, value in contexts.items()} == dict(english.ORTHO_CONTEXT)
    return {"abbreviations": lines("abbrev_types.txt"), "collocations": lines("collocations.tab"), "sentence_starters": lines("sent_starters.txt"), "contexts": len(contexts)}


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def build(path, files, **changes):
    """Returns a task of the harness whose data are local files."""
    config = _yaml_loader.load_yaml(pathlib.Path(lm_eval.tasks.__file__).parent / path, resolve_func=True)
    data = {split: str(file) for split, file in files.items()}
    config.update(dataset_path="json", dataset_name=None, dataset_kwargs={"data_files": data}, **changes)
    random.seed(0)
    task = ConfigurableTask(config=config)
    task.set_fewshot_seed(1234)
    return task


def outcomes(task, docs, responses):
    """Returns what the harness makes of responses: extracted texts and metrics by filter, or metrics."""
    if task.config.process_results:
        return [task.process_results(doc, [response]) for doc, response in zip(docs, responses)]
    results = [{} for _ in docs]
    for ensemble in task._filters:
        instances = []
        for k, (doc, response) in enumerate(zip(docs, responses)):
            instance = Instance(request_type="generate_until", doc=doc, arguments=("", {}), idx=0, metadata=(task.config.task, k, 1))
            instance.resps = [response]
            instances.append(instance)
        # all at once: a filter of GPQA makes a table of all characters in every call
        ensemble.apply(instances)
        for result, instance in zip(results, instances):
            extracted = instance.filtered_resps[ensemble.name]
            metrics = task.process_results(instance.doc, [extracted])
            result[ensemble.name] = {"extracted": extracted, **{name: float(value) for name, value in metrics.items()}}
    return results


def write_golden(name, rows):
    folder = OUT / "goldens" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "golden.json").write_text(json.dumps({"kind": "benchmark", "task": name, "conventions": "lm-eval 0.4.13"}))
    write_lines(folder / "cases.jsonl", rows)


def prompts_of(task, limit):
    task.build_all_requests(limit=limit)
    return [list(instance.args[:1]) + ([instance.args[1]] if isinstance(instance.args[1], str) else []) for instance in task.instances]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    punkt = check_punkt()
    (OUT / "punkt.json").write_text(json.dumps(punkt))
    data = {"gpqa": OUT / "gpqa.jsonl", "mmlu_test": OUT / "mmlu_test.jsonl", "mmlu_validation": OUT / "mmlu_validation.jsonl"}
    write_lines(data["gpqa"], cases.gpqa_rows(R, 200))
    write_lines(data["mmlu_test"], cases.mmlu_rows(R, 40, False))
    write_lines(data["mmlu_validation"], cases.mmlu_rows(R, 12, True))
    gsm8k = {"train": TRAIN, "test": TEST}
    mmlu = {"test": data["mmlu_test"], "validation": data["mmlu_validation"]}
    tasks = {
        "ifeval": build("ifeval/ifeval.yaml", {"train": IFEVAL}),
        "gsm8k": build("gsm8k/gsm8k.yaml", gsm8k),
        "gsm8k_cot_zeroshot": build("gsm8k/gsm8k-cot-zeroshot.yaml", gsm8k),
        "gpqa_main_zeroshot": build("gpqa/zeroshot/gpqa_main_zeroshot.yaml", {"train": data["gpqa"]}),
        "gpqa_main_cot_zeroshot": build("gpqa/cot_zeroshot/gpqa_main_cot_zeroshot.yaml", {"train": data["gpqa"]}),
    }
    categories = {name: build(f"mmlu_pro/mmlu_pro_{name.replace(' ', '_')}.yaml", mmlu) for name in ["biology", "computer science"]}
    prompts = {name: prompts_of(task, 50) for name, task in tasks.items()}
    for name, task in categories.items():
        prompts[f"mmlu_pro {name}"] = prompts_of(task, 50)
    (OUT / "prompts.json").write_text(json.dumps(prompts))

    # The harness draws a letter at random where Google's original takes the character itself: no outcome to compare.
    docs = [json.loads(line) for line in open(IFEVAL, encoding="utf-8")]
    docs = [doc for doc in docs if all("a" <= args.get("letter", "a").lower() <= "z" for args in doc["kwargs"])]
    make = {
        "ifeval": (docs, cases.ifeval_response),
        "gsm8k": ([json.loads(line) for line in open(TEST, encoding="utf-8")], lambda R, doc: cases.number_response(R, doc["answer"])),
        "gpqa_main_cot_zeroshot": (list(tasks["gpqa_main_cot_zeroshot"].eval_docs), cases.gpqa_response),
        "mmlu_pro": (list(categories["biology"].eval_docs), lambda R, doc: cases.letter_response(R)),
    }
    make["gsm8k_cot_zeroshot"] = make["gsm8k"]
    for name, (docs, respond) in make.items():
        task = {**tasks, "mmlu_pro": categories["biology"]}[name]
        chosen = [R.choice(docs) for _ in range(COUNT)]
        responses = [respond(R, doc) for doc in chosen]
        rows = [
            {"id": str(k), "doc": doc, "response": response, "expected": expected}
            for k, (doc, response, expected) in enumerate(zip(chosen, responses, outcomes(task, chosen, responses)))
        ]
        write_golden(name, rows)
    detected = []
    for k in range(COUNT):
        texts = R.sample(list(cases.SENTENCES.values()), R.choice([1, 1, 1, 2]))
        text = " ".join(text[R.randrange(len(text) // 2) :][: R.randint(1, 80)] for text in texts)
        text = R.choice([text, text, text.upper(), text.lower(), text + R.choice(cases.FRAGMENTS)])
        try:
            language = langdetect.detect(text)
        except langdetect.LangDetectException:
            language = None
        detected.append({"text": text, "language": language})
    write_lines(OUT / "languages.jsonl", detected)


main()
