"""Writes goldens of TRL's GRPO and DPO losses to the folder that is the argument. The trainers are TRL's own, on a tiny random
model; `_compute_loss` is called on them. Where log-probabilities are given, the model or the method that computes them is replaced."""

import os
import sys
import tempfile

import datasets
import torch
import transformers
from datasets import Dataset
from goldens import Draws, Rows, mask_of, pad, ragged, write
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer
from trl.trainer.utils import FusedCausalLMOutput

WORDS = ["<pad>", "<eos>", *"abcdefghij"]
PROMPTS = ["a b", "c d e"]
GENERATIONS = 4
COMPLETION = 6
LOSSES = ("grpo", "bnpo", "dr_grpo", "dapo")


def write_model(folder: str) -> str:
    """Writes a random Llama whose last layer is the identity: the hidden states of its trunk are the logits."""
    vocabulary = len(WORDS)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=vocabulary,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
        initializer_range=0.4,
        tie_word_embeddings=False,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight.copy_(torch.eye(vocabulary))
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>").save_pretrained(folder)
    return folder


def reward(completion_ids: list[list[int]], **_: object) -> list[float]:
    """Rewards that differ within groups: the share of even ids and a little for length."""
    return [sum(i % 2 == 0 for i in ids) / len(ids) + 0.05 * len(ids) for ids in completion_ids]


def grpo_trainer(folder: str, model: str, **options: object) -> GRPOTrainer:
    size = GENERATIONS * len(PROMPTS)
    settings = {
        "output_dir": os.path.join(folder, "out"),
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "gradient_checkpointing": False,
        "per_device_train_batch_size": size,
        "num_generations": GENERATIONS,
        "max_completion_length": COMPLETION,
        "seed": 5,
        **options,
    }
    data = Dataset.from_dict({"prompt": PROMPTS})
    trainer = GRPOTrainer(model=model, reward_funcs=reward, args=GRPOConfig(**settings), train_dataset=data)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def grpo_loss(folder: str, model: str) -> list[dict]:
    """The loss for given log-probabilities: `_get_per_token_logps_and_entropies` is replaced."""
    cases = []
    settings = [
        {"beta": 0.0, "epsilon": 0.2, "epsilon_high": 0.2, "on_policy": True, "bias_correction": False},
        {"beta": 0.0, "epsilon": 0.2, "epsilon_high": 0.28, "on_policy": False, "bias_correction": False},
        {"beta": 0.04, "epsilon": 0.1, "epsilon_high": 0.3, "on_policy": False, "bias_correction": False},
        {"beta": 0.04, "epsilon": 0.2, "epsilon_high": 0.2, "on_policy": True, "bias_correction": True},  # TRL's default
    ]
    for seed, setting in enumerate(settings):
        draws = Draws(900 + seed)
        lengths = draws.lengths(6, COMPLETION)
        old = draws.logprobs(lengths)
        new = old if setting["on_policy"] else draws.moved(old, 0.4)
        ref = draws.moved(old, 0.5)
        advantages = draws.normal([len(lengths)])[0]
        mask = mask_of(old)
        for loss_type in LOSSES:
            options = {key: setting[key] for key in ("beta", "epsilon", "epsilon_high")}
            options["use_bias_correction_kl"] = setting["bias_correction"]
            trainer = grpo_trainer(folder, model, loss_type=loss_type, **options)
            logprobs = pad(new, -1).requires_grad_()
            trainer._get_per_token_logps_and_entropies = lambda *_, x=logprobs, **__: (x, torch.zeros_like(x), None)
            ids = torch.ones(mask.shape, dtype=torch.long)
            inputs = {
                "prompt_ids": ids,
                "prompt_mask": ids,
                "completion_ids": ids,
                "completion_mask": mask.long(),
                "advantages": torch.tensor(advantages, dtype=torch.float64),
                "ref_per_token_logps": pad(ref, -3),
                "num_items_in_batch": mask.sum(),
            }
            if not setting["on_policy"]:
                inputs["old_per_token_logps"] = pad(old, -2)
            loss = trainer._compute_loss(trainer.model, inputs)
            loss.backward()
            metrics = {name: values[-1] for name, values in trainer._metrics["train"].items()}
            cases.append(
                {
                    "loss_type": loss_type,
                    "bias_correction": setting["bias_correction"],
                    "beta": setting["beta"],
                    "epsilon": setting["epsilon"],
                    "epsilon_high": setting["epsilon_high"],
                    "max_completion_length": COMPLETION,
                    "old_logprobs": old,
                    "logprobs": new,
                    "ref_logprobs": ref if setting["beta"] > 0 else None,
                    "advantages": advantages,
                    "loss": loss.item(),
                    "gradient": ragged(logprobs.grad, mask),
                    "kl": metrics.get("kl"),
                    "clip_fraction": metrics["clip_ratio/region_mean"],
                }
            )
    return cases


def grpo_iteration(folder: str, model: str) -> list[dict]:
    """One whole iteration of the trainer: completions, advantages, log-probabilities, loss and its gradient by the logits."""
    cases = []
    for seed, (loss_type, scale_rewards, temperature, beta) in enumerate(
        [
            ("grpo", "group", 1.0, 0.04),
            ("dr_grpo", "none", 1.0, 0.0),
            ("dapo", "group", 1.0, 0.0),
            ("grpo", "group", 0.7, 0.0),
            ("grpo", "group", 0.7, 0.04),
        ]
    ):
        trainer = grpo_trainer(
            folder,
            model,
            loss_type=loss_type,
            scale_rewards=scale_rewards,
            temperature=temperature,
            beta=beta,
            use_bias_correction_kl=False,
        )
        move(trainer.model, 20 + seed, 0.15)  # the reference model is what was loaded
        torch.manual_seed(40 + seed)
        batch = [{"prompt": prompt} for prompt in PROMPTS for _ in range(GENERATIONS)]
        inputs = trainer._generate_and_score_completions(batch)
        mask, ids = inputs["completion_mask"], inputs["completion_ids"]
        prompt, length = inputs["prompt_ids"].size(1), ids.size(1)
        old_logits = run(trainer.model, inputs)[:, prompt - 1 : -1]
        with torch.no_grad():
            full = [torch.cat([inputs[f"prompt_{x}"], inputs[f"completion_{x}"]], 1) for x in ("ids", "mask")]
            inputs["old_per_token_logps"] = trainer._get_per_token_logps_and_entropies(trainer.model, *full, length)[0]
        move(trainer.model, 60 + seed, 0.05)
        kept = []
        hook = trainer.model.model.register_forward_hook(lambda _, __, out: kept.append(out.last_hidden_state))
        loss = trainer._compute_loss(trainer.model, inputs)
        hook.remove()
        (gradient,) = torch.autograd.grad(loss, kept)
        logits, gradient = kept[0][:, prompt - 1 : -1], gradient[:, prompt - 1 : -1]
        rewards = torch.tensor(reward([row[m.bool()].tolist() for row, m in zip(ids, mask, strict=True)]))
        case = {
            "loss_type": loss_type,
            "scale_rewards": scale_rewards,
            "temperature": temperature,
            "beta": beta,
            "epsilon": trainer.epsilon_low,
            "epsilon_high": trainer.epsilon_high,
            "max_completion_length": COMPLETION,
            "groups": [i // GENERATIONS for i in range(len(batch))],
            "rewards": rewards,
            "advantages": inputs["advantages"],
            "ids": ragged(ids, mask),
            "old_logits": seven(ragged(old_logits, mask)),
            "logits": seven(ragged(logits, mask)),
            "ref_logits": seven(ragged(run(trainer.ref_model, inputs)[:, prompt - 1 : -1], mask)) if beta > 0 else None,
            "loss": loss.item(),
            "gradient": seven(ragged(gradient, mask)),
            "kl": trainer._metrics["train"]["kl"][-1] if beta > 0 else None,
        }
        cases.append(case)
    return cases


def move(model: LlamaForCausalLM, seed: int, scale: float) -> None:
    """Adds normal noise to all weights but those of the last layer."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if not name.startswith("lm_head"):
                weight += scale * torch.randn(weight.shape, generator=random)


def run(model: LlamaForCausalLM, inputs: dict) -> torch.Tensor:
    """Returns the logits of the model's ordinary forward pass."""
    full = {f"{name}": torch.cat([inputs[f"prompt_{key}"], inputs[f"completion_{key}"]], 1) for name, key in
            (("input_ids", "ids"), ("attention_mask", "mask"))}
    with torch.no_grad():
        return model(**full).logits


def seven(rows: list) -> list:
    """Returns float32 numbers with 7 significant digits."""
    if isinstance(rows, list):
        return [seven(row) for row in rows]
    return float(f"{rows:.7g}")


def dpo_loss(folder: str, model: str) -> list[dict]:
    """The loss of each pair for given log-probabilities: the model is replaced, the reference is precomputed."""
    cases = []
    data = Dataset.from_dict({"prompt": ["a b"], "chosen": [" c"], "rejected": [" d"]})
    # `sigmoid` of TRL 0.24.0 has label smoothing, that of 1.16.0 ignores it; `aot_unpaired` of a single pair is the smoothed loss
    settings = [("sigmoid", 0.1, 0.0), ("sigmoid", 0.5, 0.0), ("aot_unpaired", 0.1, 0.1), ("aot_unpaired", 0.5, 0.3)]
    for seed, (loss_type, beta, smoothing) in enumerate(settings):
        args = DPOConfig(
            output_dir=os.path.join(folder, "out"),
            use_cpu=True,
            bf16=False,
            report_to="none",
            gradient_checkpointing=False,
            loss_type=loss_type,
            beta=beta,
            label_smoothing=smoothing,
        )
        trainer = DPOTrainer(model=model, args=args, train_dataset=data)
        trainer.model.train()
        trainer.precompute_ref_logps = True
        for pair in range(3):
            draws = Draws(1000 + 10 * seed + pair)
            rows = draws.logprobs(draws.lengths(2, 7)[:: 1 if pair % 2 else -1])
            ref = draws.moved(rows, 1.5)
            cases.append(
                {
                    "loss_type": loss_type,
                    "beta": beta,
                    "label_smoothing": smoothing,
                    "logprobs": {"chosen": rows[0], "rejected": rows[1]},
                    "ref_logprobs": {"chosen": ref[0], "rejected": ref[1]},
                    **dpo_pair(trainer, rows, ref),
                }
            )
    return cases


def dpo_pair(trainer: DPOTrainer, rows: Rows, ref: Rows) -> dict:
    mask = mask_of(rows)
    logprobs = (pad(rows) * mask).requires_grad_()
    zeros, sums = torch.zeros_like(mask), pad(ref).sum(1)

    def answer(**_: object) -> FusedCausalLMOutput:
        return FusedCausalLMOutput(log_probs=logprobs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())

    first = torch.ones(2, 1, dtype=torch.long)  # a prompt of one token
    completion_mask = torch.cat([first * 0, mask.long()], 1)
    loss = trainer._compute_loss(
        answer,
        {
            "input_ids": torch.ones_like(completion_mask),
            "attention_mask": torch.cat([first, mask.long()], 1),
            "completion_mask": completion_mask,
            "ref_chosen_logps": sums[:1],
            "ref_rejected_logps": sums[1:],
        },
        False,
    )
    loss.backward()
    metrics = {name: values[-1] for name, values in trainer._metrics["train"].items()}
    return {
        "loss": loss.item(),
        "gradient": {name: logprobs.grad[i, 0].item() for i, name in enumerate(("chosen", "rejected"))},
        "rewards": {name: metrics[f"rewards/{name}"] for name in ("chosen", "rejected")},
    }


def main(folder: str) -> None:
    grpo = "trl.GRPOTrainer._compute_loss"
    with tempfile.TemporaryDirectory() as temporary:
        model = write_model(os.path.join(temporary, "model"))
        for topic, cases, functions, dtype in [
            ("trl_grpo_loss", grpo_loss, [grpo], "float64"),
            ("trl_grpo_iteration", grpo_iteration, ["trl.GRPOTrainer._generate_and_score_completions", grpo], "float32"),
            ("trl_dpo_loss", dpo_loss, ["trl.DPOTrainer._compute_loss"], "float64"),
        ]:
            write(folder, topic, "trl", functions, dtype, cases(temporary, model))


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    main(sys.argv[1])
