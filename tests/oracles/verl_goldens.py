"""Writes goldens of verl's PPO functions to the folder that is the argument: verl.trainer.ppo.core_algos is called, nothing is
typed again. Masked positions hold JUNK wherever verl reads them under a mask."""

import sys

import numpy as np
import torch
from goldens import Draws, Rows, mask_of, pad, ragged, write
from verl.trainer.config import AlgoConfig
from verl.trainer.ppo import core_algos as verl
from verl.utils.torch_functional import masked_whiten
from verl.workers.config import ActorConfig

JUNK = 77.0
AGGREGATIONS = ("token-mean", "seq-mean-token-sum", "seq-mean-token-mean")
NO_DUAL_CLIP = 1e9  # verl always has a dual clip: at this bound it never decides
NO_VALUE_CLIP = 1e9


def with_gaps(draws: Draws, rows: Rows) -> tuple[torch.Tensor, list[list[float]]]:
    """Returns a mask with places between the tokens that do not count, as verl has for observations, and the places."""
    width = max(len(row) for row in rows) + 3
    places = [sorted(draws.random.choice(width, len(row), replace=False).tolist()) for row in rows]
    mask = torch.zeros(len(rows), width, dtype=torch.float64)
    for row, counted in zip(mask, places, strict=True):
        row[counted] = 1
    return mask, places


def spread(rows: Rows, mask: torch.Tensor, fill: float) -> torch.Tensor:
    """Returns rows at the counted places of a mask."""
    array = torch.full_like(mask, fill)
    for target, row, m in zip(array, rows, mask, strict=True):
        target[m.bool()] = torch.tensor(row, dtype=torch.float64)
    return array


def gae() -> list[dict]:
    cases = []
    settings = [(1, 1), (1, 0.95), (0.99, 0.9), (0.9, 0), (1, 0.95)]
    for seed, (gamma, lam) in enumerate(settings):
        draws = Draws(100 + seed)
        lengths = draws.lengths(5, 9)
        rewards, values = draws.normal(lengths, scale=0.3), draws.normal(lengths)
        for row in rewards:
            row[-1] = round(row[-1] + 2, 4)
        gaps = seed == len(settings) - 1
        mask = with_gaps(draws, rewards)[0] if gaps else mask_of(rewards)
        advantages, returns = verl.compute_gae_advantage_return(
            spread(rewards, mask, JUNK), spread(values, mask, JUNK), mask, gamma, lam
        )
        cases.append(
            {
                "gaps": gaps,
                "gamma": gamma,
                "lambda": lam,
                "rewards": rewards,
                "values": values,
                "returns": ragged(returns, mask),
                "whitened_advantages": ragged(advantages, mask),
            }
        )
    return cases


def whiten() -> list[dict]:
    cases = []
    for seed, (lengths, mean, scale) in enumerate([([1, 1], 0, 1), ([3, 1, 5], 4, 0.2), ([7, 2, 9, 1], -1, 30)]):
        rows = Draws(200 + seed).normal(lengths, mean, scale)
        for shift_mean in (True, False):
            whitened = masked_whiten(pad(rows, JUNK), mask_of(rows), shift_mean)
            cases.append({"shift_mean": shift_mean, "x": rows, "whitened": ragged(whitened, mask_of(rows))})
    return cases


def policy_inputs(seed: int) -> tuple[Rows, Rows, Rows]:
    """Returns old and new log-probabilities and advantages: ratios on both sides of the clip, one of them large."""
    draws = Draws(seed)
    lengths = draws.lengths(4, 8)
    old = draws.logprobs(lengths)
    new = draws.moved(old, 0.9)
    new[0] = list(old[0])  # ratio 1: both branches are equal
    longest = lengths.index(8)
    old[longest][2], new[longest][2] = -9.5, -0.25
    old[longest][5], new[longest][5] = -0.25, -11.5
    return old, new, draws.normal(lengths, scale=1.2)


def policy_loss() -> list[dict]:
    cases = []
    clips = [(0.2, 0.2, 3.0), (0.2, 0.28, 1.5), (0.3, 0.1, None), (0.2, 0.2, None)]
    for seed, (low, high, dual) in enumerate(clips):
        worst = seed == 3  # a negative advantage where the log-ratio is clipped to 20: the loss is about e^20
        for aggregation in AGGREGATIONS[: 1 if worst else 3]:
            old, new, advantages = policy_inputs(300 + seed)
            if worst:
                old = [[-26.5 if x == -9.5 else x for x in row] for row in old]
                advantages = [[-abs(a) for a in row] for row in advantages]
            mask = mask_of(old)
            logprobs = pad(new, -1).requires_grad_()
            inputs = (pad(old, -2), logprobs, pad(advantages, JUNK), mask)
            loss, clipped, kl, dual_clipped = verl.compute_policy_loss(
                *inputs,
                cliprange_low=low,
                cliprange_high=high,
                clip_ratio_c=dual or NO_DUAL_CLIP,
                loss_agg_mode=aggregation,
            )
            loss.backward()
            cases.append(
                {
                    "clip_low": low,
                    "clip_high": high,
                    "dual_clip": dual,
                    "aggregation": aggregation,
                    "old_logprobs": old,
                    "logprobs": new,
                    "advantages": advantages,
                    "loss": loss.item(),
                    "gradient": ragged(logprobs.grad, mask),
                    "clip_fraction": clipped.item(),
                    "dual_clip_fraction": dual_clipped.item(),
                    "approx_kl": kl.item(),
                }
            )
    return cases


def weighted_policy_loss() -> list[dict]:
    """compute_policy_loss_vanilla, the function that verl's actor calls, with weights of a rollout correction."""
    cases = []
    for seed, aggregation in enumerate(AGGREGATIONS):
        old, new, advantages = policy_inputs(330 + seed)
        weights = [[abs(w) for w in row] for row in Draws(360 + seed).normal([len(row) for row in old], 1, 0.4)]
        mask = mask_of(old)
        logprobs = pad(new, -1).requires_grad_()
        config = ActorConfig(
            strategy="fsdp",
            rollout_n=1,
            ppo_micro_batch_size_per_gpu=1,
            clip_ratio_low=0.2,
            clip_ratio_high=0.28,
            clip_ratio_c=3.0,
        )
        loss, _ = verl.compute_policy_loss_vanilla(
            pad(old, -2), logprobs, pad(advantages, JUNK), mask, aggregation, config, pad(weights, JUNK)
        )
        loss.backward()
        cases.append(
            {
                "clip_low": 0.2,
                "clip_high": 0.28,
                "dual_clip": 3.0,
                "aggregation": aggregation,
                "old_logprobs": old,
                "logprobs": new,
                "advantages": advantages,
                "importance": weights,
                "loss": loss.item(),
                "gradient": ragged(logprobs.grad, mask),
            }
        )
    return cases


def value_loss() -> list[dict]:
    cases = []
    for seed, (clip, aggregation) in enumerate(
        [(0.2, "token-mean"), (0.5, "token-mean"), (None, "token-mean"), (0.2, AGGREGATIONS[1]), (0.2, AGGREGATIONS[2])]
    ):
        draws = Draws(400 + seed)
        lengths = draws.lengths(4, 8)
        old, new, returns = draws.normal(lengths), draws.normal(lengths), draws.normal(lengths, 0.5, 1.5)
        new[0] = list(old[0])
        mask = mask_of(old)
        values = pad(new, JUNK).requires_grad_()
        loss, clipped = verl.compute_value_loss(
            values, pad(returns, JUNK), pad(old, -JUNK), mask, clip or NO_VALUE_CLIP, aggregation
        )
        loss.backward()
        cases.append(
            {
                "clip_range": clip,
                "aggregation": aggregation,
                "values": new,
                "old_values": old,
                "returns": returns,
                "loss": loss.item(),
                "gradient": ragged(values.grad, mask),
                "clip_fraction": clipped.item(),
            }
        )
    return cases


def aggregate() -> list[dict]:
    cases = []
    for seed in range(3):
        draws = Draws(500 + seed)
        losses = draws.normal(draws.lengths(4 + seed, 7))
        for aggregation in AGGREGATIONS:
            loss = verl.agg_loss(pad(losses, JUNK), mask_of(losses), aggregation)
            cases.append({"aggregation": aggregation, "losses": losses, "loss": loss.item()})
    return cases


def kl() -> list[dict]:
    draws = Draws(600)
    lengths = draws.lengths(4, 8)
    logprobs = draws.logprobs(lengths)
    ref = draws.moved(logprobs, 0.7)
    longest = lengths.index(8)
    ref[longest][1] = logprobs[longest][1]
    # e^-d - 1 + d is above 10 in the first, d is beyond ±20 in the others
    logprobs[longest][3], ref[longest][3] = -4.5, -1.25
    logprobs[longest][5], ref[longest][5] = -26.5, -0.25
    logprobs[longest][6], ref[longest][6] = -0.25, -26.5
    cases = []
    for ours, theirs in [("k1", "kl"), ("k1", "k1"), ("k2", "mse"), ("k2", "k2"), ("k3", "low_var_kl"), ("k3", "k3"), ("abs", "abs")]:
        x = pad(logprobs).requires_grad_()
        estimates = verl.kl_penalty(x, pad(ref), theirs)
        estimates.sum().backward()
        mask = mask_of(logprobs)
        cases.append(
            {
                "estimator": ours,
                "name": theirs,
                "bounds": {"log_ratio": 20, "estimate": 10} if ours == "k3" else None,
                "logprobs": logprobs,
                "ref_logprobs": ref,
                "estimates": ragged(estimates, mask),
                "gradient": ragged(x.grad, mask),
            }
        )
    return cases


def token_rewards() -> list[dict]:
    cases = []
    for seed, beta in enumerate([0.05, 0.7]):
        draws = Draws(650 + seed)
        lengths = draws.lengths(4, 6)
        old = draws.logprobs(lengths)
        ref = draws.moved(old, 0.5)
        scores = draws.normal([len(lengths)])[0]
        given = [[0.0] * (n - 1) + [score] for n, score in zip(lengths, scores, strict=True)]
        rewards = verl.compute_rewards(pad(given), pad(old), pad(ref), beta)
        cases.append(
            {
                "beta": beta,
                "scores": scores,
                "logprobs": old,
                "ref_logprobs": ref,
                "rewards": ragged(rewards, mask_of(old)),
            }
        )
    return cases


def critic_free() -> list[dict]:
    cases = []
    for seed in range(2):
        draws = Draws(700 + seed)
        groups = [0, 0, 0, 1, 1, 1, 1, 2, 2] if seed == 0 else [3, 1, 3, 2, 1, 2, 1, 2, 3, 3]
        lengths = draws.lengths(len(groups), 6)
        rewards = draws.normal(lengths, scale=0.2)
        for row, score in zip(rewards, draws.normal([len(groups)])[0], strict=True):
            row[-1] = round(row[-1] + score, 4)
        if seed == 0:  # all responses of group 2 have the same reward
            for b in (7, 8):
                rewards[b] = [0.0] * (lengths[b] - 1) + [0.75]
        mask, index = mask_of(rewards), np.array(groups)

        def compute(function, **options) -> list[list[float]]:
            return ragged(function(pad(rewards), mask, **options)[0], mask)

        def returns(gamma: float) -> tuple[list[list[float]], list[list[float]]]:
            advantages, returned = verl.compute_reinforce_plus_plus_outcome_advantage(
                pad(rewards, JUNK), mask, config=AlgoConfig(gamma=gamma)
            )
            return ragged(advantages, mask), ragged(returned, mask)

        base = {"groups": groups, "rewards": rewards}
        for name, function, options in [
            ("grpo", verl.compute_grpo_outcome_advantage, {"index": index, "norm_adv_by_std_in_grpo": True}),
            ("grpo_no_std", verl.compute_grpo_outcome_advantage, {"index": index, "norm_adv_by_std_in_grpo": False}),
            ("rloo", verl.compute_rloo_outcome_advantage, {"index": index}),
            ("rloo", verl.compute_rloo_vectorized_outcome_advantage, {"index": index}),
            ("reinforce_pp_baseline", verl.compute_reinforce_plus_plus_baseline_outcome_advantage, {"index": index}),
        ]:
            advantages = compute(function, **options)
            cases.append({"estimator": name, "function": function.__name__, **base, "advantages": advantages})
        for gamma in (1.0, 0.9):
            advantages, returned = returns(gamma)
            function = "compute_reinforce_plus_plus_outcome_advantage"
            more = {"gamma": gamma, "returns": returned, "advantages": advantages}
            cases.append({"estimator": "reinforce_pp", "function": function, **base, **more})
    return cases


def adaptive_kl() -> list[dict]:
    cases = []
    for seed, (beta, target, horizon, steps) in enumerate([(0.2, 6, 10000, 256), (0.05, 0.3, 500, 64)]):
        controller = verl.AdaptiveKLController(beta, target, horizon)
        measured = [round(abs(x) * target, 4) for x in Draws(800 + seed).normal([12], 1, 0.5)[0]]
        betas = []
        for current in measured:
            controller.update(current, steps)
            betas.append(float(controller.value))
        cases.append({"beta": beta, "target": target, "horizon": horizon, "steps": steps, "kl": measured, "betas": betas})
    return cases


def main(folder: str) -> None:
    core = "verl.trainer.ppo.core_algos."
    outcome = [f"{core}compute_{name}_outcome_advantage" for name in (
        "grpo", "rloo", "rloo_vectorized", "reinforce_plus_plus", "reinforce_plus_plus_baseline"
    )]
    for topic, cases, functions in [
        ("verl_gae", gae, [f"{core}compute_gae_advantage_return"]),
        ("verl_whiten", whiten, ["verl.utils.torch_functional.masked_whiten"]),
        ("verl_policy_loss", policy_loss, [f"{core}compute_policy_loss"]),
        ("verl_weighted_policy_loss", weighted_policy_loss, [f"{core}compute_policy_loss_vanilla"]),
        ("verl_value_loss", value_loss, [f"{core}compute_value_loss"]),
        ("verl_aggregate", aggregate, [f"{core}agg_loss"]),
        ("verl_kl", kl, [f"{core}kl_penalty"]),
        ("verl_token_rewards", token_rewards, [f"{core}compute_rewards"]),
        ("verl_critic_free", critic_free, outcome),
        ("verl_adaptive_kl", adaptive_kl, [f"{core}AdaptiveKLController"]),
    ]:
        write(folder, topic, "verl", functions, "float64", cases())


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1])
