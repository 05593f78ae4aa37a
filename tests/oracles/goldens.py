"""Shared by the programs of this folder: inputs drawn from a seed, padding, and files of goldens."""

import importlib.metadata
import json
import os
from collections.abc import Sequence

import numpy as np
import torch

Rows = list[list[float]]


class Draws:
    """Inputs drawn from a seed, rounded to 4 decimals so that the files are small and exact."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.RandomState(seed)

    def lengths(self, rows: int, longest: int) -> list[int]:
        """Returns ragged lengths from 1 to `longest`; at least one row has each of these two."""
        return [1, longest, *self.random.randint(1, longest + 1, rows - 2).tolist()]

    def normal(self, lengths: Sequence[int], mean: float = 0, scale: float = 1) -> Rows:
        return [np.round(mean + scale * self.random.randn(n), 4).tolist() for n in lengths]

    def logprobs(self, lengths: Sequence[int]) -> Rows:
        """Returns log-probabilities: negative, most of them between -6 and 0."""
        return [np.round(-self.random.gamma(1.5, 1, n) - 0.0001, 4).tolist() for n in lengths]

    def moved(self, rows: Rows, scale: float) -> Rows:
        """Returns `rows` plus normal noise, at most -0.0001: log-probabilities of another model."""
        noise = self.normal([len(row) for row in rows], scale=scale)
        return [[round(min(x + e, -0.0001), 4) for x, e in zip(a, b, strict=True)] for a, b in zip(rows, noise, strict=True)]


def pad(rows: Rows, fill: float = 0) -> torch.Tensor:
    """Returns rows as one float64 array [B, T] with `fill` in the places that the mask leaves out."""
    width = max(len(row) for row in rows) + 2
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows], dtype=torch.float64)


def mask_of(rows: Rows) -> torch.Tensor:
    """Returns the mask of `pad(rows)`: 1 = counts."""
    return pad([[1.0] * len(row) for row in rows])


def ragged(array: torch.Tensor, mask: torch.Tensor) -> Rows:
    """Returns the counted numbers of each row."""
    return [row[m.bool()].tolist() for row, m in zip(array.detach(), mask, strict=True)]


def write(folder: str, topic: str, library: str, functions: Sequence[str], dtype: str, cases: Sequence[dict]) -> None:
    """Writes one file of goldens with its origin, numbers with 12 significant digits."""
    metadata = importlib.metadata.metadata(library)
    packages = (library, "torch", "transformers", "numpy")
    described = {
        "topic": topic,
        "origin": {
            "functions": list(functions),
            "versions": {name: importlib.metadata.version(name) for name in packages},
            "licence": metadata["License-Expression"] or metadata["License"],
        },
        "dtype": dtype,
        "cases": [short(case) for case in cases],
    }
    lines = json.dumps(described, ensure_ascii=False).replace('"cases": [{', '"cases": [\n{').replace("}, {", "},\n{")
    with open(os.path.join(folder, f"{topic}.json"), "w", encoding="utf-8") as file:
        file.write(lines + "\n")
    print(f"{topic}: {len(cases)} cases from {library} {metadata['Version']}", flush=True)


def short(value: object) -> object:
    if isinstance(value, dict):
        return {key: short(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [short(item) for item in value]
    if isinstance(value, torch.Tensor):
        return short(value.tolist())
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.12g}")
    return value
