"""Writes fixtures/benchmarks/alpaca_reference.json: generated annotations and what alpaca-eval 0.6.6 computes from them.

Requires alpaca-eval==0.6.6 and scikit-learn==1.9.1 from PyPI. Argument: the file to write. Outputs are stored as their lengths.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import pandas as pd
from alpaca_eval.metrics import glm_winrate

COUNT = 60
rng = np.random.default_rng(5)
difficulty = rng.normal(0, 1, COUNT)
gamed = []
for shift in (-1.2, 1.1):
    deltas = rng.normal(shift, 0.4, COUNT)
    preferences = 1 / (1 + np.exp(-(0.9 * np.tanh(deltas) + rng.normal(0, 0.3, COUNT))))
    for i in range(COUNT):
        gamed.append({"model": str(shift), "index": i, "preference": float(preferences[i]), "std_delta_len": float(deltas[i]),
                      "instruction_difficulty": float(difficulty[i]), "not_gamed_baseline": False})
folder = pathlib.Path(tempfile.mkdtemp())
pd.DataFrame(gamed).to_csv(folder / "df_gamed.csv", index=False)
glm_winrate.hf_hub_download = lambda **_: folder / "df_gamed.csv"
first, second = rng.integers(300, 3000, COUNT), rng.integers(100, 2500, COUNT)
logits = -0.6 - 0.7 * np.tanh((first - second) / 1000) + 0.6 * difficulty + rng.normal(0, 0.8, COUNT)
preferences = 1 + 1 / (1 + np.exp(-logits))
preferences[:3] = [1.5, 0, 2]
annotations = [{"output_1": "x" * int(first[i]), "output_2": "y" * int(second[i]), "preference": float(preferences[i]), "annotator": "a",
                "generator_1": "base", "generator_2": "model", "instruction": str(i)} for i in range(COUNT)]
frame = pd.DataFrame(annotations)
frame.index.name = "index"
options = {"save_weights_dir": None, "is_add_glm_preference_inplace": False}
expected = {name: glm_winrate.get_length_controlled_winrate(frame.copy(), glm_name=name, **options)
            for name in ["length_controlled_v1", "length_controlled_minimal"]}
pathlib.Path(sys.argv[1]).write_text(json.dumps({
    "annotations": [{"output_1": len(a["output_1"]), "output_2": len(a["output_2"]), "preference": a["preference"]} for a in annotations],
    "gamed": [{key: row[key] for key in ["index", "preference", "std_delta_len", "instruction_difficulty"]} for row in gamed],
    "expected": {name: {key: float(value) for key, value in rates.items()} for name, rates in expected.items()},
}))
