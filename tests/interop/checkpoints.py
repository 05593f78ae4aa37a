"""Loads the outputs of a run with transformers, PEFT, torch and ONNX Runtime, and compares their results with ours."""

import json
import tempfile
from pathlib import Path

import numpy
import onnxruntime
import pyarrow.ipc
import safetensors.numpy
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForSequenceClassification

from checks import check, read_case, within

case = read_case()
ours = safetensors.numpy.load_file(case["results"])
LOAD = {"dtype": torch.float32, "attn_implementation": "eager", "local_files_only": True, "output_loading_info": True}


def complete(info: dict) -> None:
    """Fails if transformers reports missing or unexpected weights."""
    wrong = {key: value for key, value in info.items() if value}
    assert not wrong, wrong


def load_policy(path: str):
    adapter = Path(path, "adapter_config.json").exists()
    model, info = AutoModelForCausalLM.from_pretrained(Path(path, "base") if adapter else path, **LOAD)
    complete(info)
    return (PeftModel.from_pretrained(model, path) if adapter else model).eval()


def largest(pairs) -> float:
    """Largest difference; NaN counts as infinite, which exceeds every bound."""
    errors = [float(numpy.abs(a - b).max()) for a, b in pairs]
    return max(error if error == error else float("inf") for error in errors)


@torch.inference_mode()
def logits(name: str, path: str, prompts: list[list[int]]) -> tuple[bool, str]:
    model = load_policy(path)
    pairs = []
    for row, ids in enumerate(prompts):
        theirs = model(torch.tensor([ids])).logits[0].numpy()
        found = ours[f"logits.{name}.{row}"]
        assert found.shape == theirs.shape, (found.shape, theirs.shape)
        pairs.append((found, theirs))
    spread = max(float(theirs.max() - theirs.min()) for _, theirs in pairs)
    assert spread > 1e-2, "equal logits are no test"
    passed, detail = within(largest(pairs), 1e-4)
    return passed, f"{detail}, {len(prompts)} prompts of 1 to {max(map(len, prompts))} tokens, logits spread over {spread:.1f}"


@torch.inference_mode()
def values(path: str, prompts: list[list[int]]) -> tuple[bool, str]:
    model, info = LlamaForSequenceClassification.from_pretrained(path, num_labels=1, **LOAD)
    complete(info)
    pairs = []
    for row, ids in enumerate(prompts):
        hidden = model.model(torch.tensor([ids])).last_hidden_state
        pairs.append((ours[f"values.{row}"], model.score(hidden)[0, :, 0].numpy()))
        # The output of the classifier is the value at the last token.
        model.config.pad_token_id = -1
        label = model(torch.tensor([ids])).logits[0, 0].numpy()
        pairs.append((ours[f"values.{row}"][-1], label))
    assert float(model.score.weight.abs().max()) > 0, "a head of zeros is no test"
    return within(largest(pairs), 1e-4)


def tokens(path: str, texts: list[str], expected: list[list[int]], decoded: list[str]) -> tuple[bool, str]:
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    wrong = [t for t, ids in zip(texts, expected, strict=True) if tokenizer(t)["input_ids"] != ids]
    for ids, text in zip(expected, decoded, strict=True):
        if tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) != text:
            wrong.append(text)
    return not wrong, f"{len(texts)} texts encoded and decoded" if not wrong else f"differ: {wrong[:3]}"


def one_update(training: dict) -> tuple[bool, str]:
    """The same update with torch's AdamW from the same weights, converted to float32."""
    options, metrics = training["options"], training["metrics"]
    model = load_policy(training["source"])
    total, count = torch.zeros(()), 0
    for ids, mask in training["rows"]:
        logprobs = torch.log_softmax(model(torch.tensor([ids])).logits[0, :-1].float(), -1)
        taken = logprobs[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
        supervised = torch.tensor(mask[1:], dtype=torch.bool)
        total = total - taken[supervised].sum()
        count += int(supervised.sum())
    loss = total / count
    loss.backward()
    raw = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), options["max_grad_norm"])
    torch.optim.AdamW(
        model.parameters(),
        lr=metrics["lr"],
        betas=(options["beta1"], options["beta2"]),
        eps=options["eps"],
        weight_decay=0.0,
    ).step()
    for name, theirs in {"loss": loss.item(), "grad_norm": norm.item()}.items():
        assert abs(metrics[name] - theirs) <= 1e-4 * abs(theirs), (name, metrics[name], theirs)
    after = load_policy(training["policy"])
    assert all(parameter.dtype == torch.float32 for parameter in after.parameters())
    assert json.loads(Path(training["policy"], "config.json").read_text())["dtype"] == "float32"
    worst, moved = 0.0, 0.0
    source, expected = load_policy(training["source"]).state_dict(), model.state_dict()
    names = [name for name, _ in model.named_parameters()]  # without the head where it is tied
    for name, parameter in ((name, after.state_dict()[name]) for name in names):
        # Adam divides a gradient by its absolute value: near zero, the direction depends on rounding.
        sure = raw[name].abs() > 1e-3 * raw[name].abs().max()
        worst = max(worst, float((parameter - expected[name])[sure].abs().max()))
        moved = max(moved, float((parameter - source[name]).abs().max()))
    assert moved > 0.5 * metrics["lr"], "an update that changes nothing is no test"
    return within(worst, 1e-6)


def as_transformers_saves(path: str) -> tuple[bool, str]:
    """The checkpoint has the tensors and tied weights that transformers writes."""
    model = load_policy(path)
    with tempfile.TemporaryDirectory() as saved:
        model.save_pretrained(saved)
        theirs = {n: t.shape for n, t in safetensors.numpy.load_file(Path(saved, "model.safetensors")).items()}
        wanted = json.loads(Path(saved, "config.json").read_text())
    found = {n: t.shape for n, t in safetensors.numpy.load_file(Path(path, "model.safetensors")).items()}
    assert found == theirs, {n: (found.get(n), theirs.get(n)) for n in found.keys() ^ theirs.keys()}
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert tied == model.config.tie_word_embeddings, (tied, model.config.tie_word_embeddings)
    assert wanted["architectures"] == json.loads(Path(path, "config.json").read_text())["architectures"]
    return True, f"{len(found)} tensors, {'tied' if tied else 'not tied'}"


def moments(path: str, models: dict[str, str]) -> tuple[bool, str]:
    """The optimizer's state after PPO has two moments for every weight of policy and critic."""
    state = safetensors.numpy.load_file(Path(path, "optimizer.safetensors"))
    wanted = {}
    for prefix, directory in models.items():
        for name, weight in safetensors.numpy.load_file(Path(directory, "model.safetensors")).items():
            for kind in ("exp_avg", "exp_avg_sq"):
                wanted[f"{prefix}.{kind}.{name}"] = weight.shape
    found = {name: tensor.shape for name, tensor in state.items()}
    assert found == wanted, {name: (found.get(name), wanted.get(name)) for name in found.keys() ^ wanted.keys()}
    assert all(numpy.isfinite(tensor).all() for tensor in state.values())
    assert all((tensor >= 0).all() for name, tensor in state.items() if ".exp_avg_sq." in name)
    assert all(any(tensor.any() for name, tensor in state.items() if name.startswith(p)) for p in models)
    return True, f"{len(state)} tensors, of {' and '.join(models)}"


def exported_reward(graph: str, files: list[str]) -> tuple[bool, str]:
    """reward.onnx gives every response token the reward that `score` wrote."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    pairs, rewarded = [], 0
    for file in files:
        with pyarrow.ipc.open_file(file) as reader:
            rows = reader.read_all().to_pylist()
        length = max(len(row["prompt_ids"]) + len(row["response_ids"]) for row in rows)
        ids = numpy.zeros((len(rows), length), dtype=numpy.int64)
        for i, row in enumerate(rows):
            text = row["prompt_ids"] + row["response_ids"]
            ids[i, : len(text)] = text
        (rewards,) = session.run(["token_rewards"], {"input_ids": ids})
        for i, row in enumerate(rows):
            start, count = len(row["prompt_ids"]), len(row["response_ids"])
            expected = numpy.array(row["token_rewards"], dtype=numpy.float32)
            pairs.append((rewards[i, start : start + count], expected))
            rewarded += int((expected != 0).sum())
    assert rewarded > 0, "rewards of zero are no test"
    passed, detail = within(largest(pairs), 1e-4)
    return passed, f"{detail}, {rewarded} rewarded tokens of {len(pairs)} responses, onnxruntime {onnxruntime.__version__}"


for model in case["models"]:
    check(f"transformers' logits of {model['name']}", lambda: logits(model["name"], model["path"], model["prompts"]))
check("LlamaForSequenceClassification's values of the critic", lambda: values(**case["critic"]))
check("AutoTokenizer's ids", lambda: tokens(**case["tokenizer"]))
for training in case["trainings"]:
    check(f"transformers' own tensors of {training['name']}", lambda: as_transformers_saves(training["policy"]))
    check(f"torch's update of a {training['name']} checkpoint", lambda: one_update(training))
check("safetensors of the optimizer after PPO", lambda: moments(**case["moments"]))
check("PyPI onnxruntime's token rewards of reward.onnx", lambda: exported_reward(**case["reward"]))
