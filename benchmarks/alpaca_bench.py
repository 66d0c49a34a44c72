#!/usr/bin/env python3
"""AlpacaEval 2.0 figures beside the official tool's and scikit-learn's: equality, objective, and the time to choose C and fit.

    python3 benchmarks/alpaca_bench.py [--tapir build/tapir]

On the 11 models of ../shared/data/alpaca_eval, whose stripped annotations are turned into alpaca_eval's form first. The peer is
alpaca_eval 0.6.6 itself on the same files (its downloads are replaced by the files of the test data), with its logistic
regression by scikit-learn's liblinear; and liblinear at the C that we chose, for the objective. Prints one JSON object: largest differences of win rates, of LC at our C, and with each side's own C; by
how much our objective lies below liblinear's, relative; median times and their ratio.
"""
import argparse
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import peers

PACKAGES = ["alpaca_eval==0.6.6", "scikit-learn==1.7.2"]
ANNOTATOR, BASELINE = "weighted_alpaca_eval_gpt4_turbo", "gpt4_1106_preview"
RAW_COLUMNS = ("win_rate", "standard_error", "n_wins", "n_wins_base", "n_draws", "n_total", "discrete_win_rate")


# ---- the files, as the official tool has them ----

def write_inputs(data, folder):
    """Annotations by model, and df_gamed.csv with the column that the tool reads."""
    with gzip.open(data / "outputs" / f"{BASELINE}.json.gz", "rt", encoding="utf-8") as file:
        baseline = json.load(file)
    for path in sorted((data / "annotations").glob("*.jsonl.gz")):
        model = path.name.removesuffix(".jsonl.gz")
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        (folder / f"{model}.json").write_text(json.dumps([annotation(row, baseline[row["i"]], model) for row in rows], indent=2))
    gamed = (data / "df_gamed_reconstructed.csv").read_text().replace("preference_maxent", "preference", 1)
    (folder / "df_gamed.csv").write_text(gamed)
    (folder / "set.json").write_text(json.dumps(baseline))


def annotation(row, base, model):
    equal = "top" not in row  # the judge is not asked about equal outputs
    return {"instruction": base["instruction"], "output_1": base["output"], "generator_1": BASELINE, "dataset": row["dataset"],
            "output_2": base["output"] if equal else "x" * row["len_2"], "generator_2": model, "annotator": ANNOTATOR,
            "preference": row["preference"]}


# ---- the peer's side: runs in its own environment ----

def peer(folder):
    import numpy as np
    import pandas as pd
    from alpaca_eval.metrics import glm_winrate
    from sklearn.linear_model import LogisticRegression

    glm_winrate.hf_hub_download = lambda filename, **_: str(folder / filename)
    ours = {model["name"]: model for model in json.loads((folder / "ours.json").read_text())["models"]}
    results = {}
    for name, model in ours.items():
        annotations = pd.read_json(folder / f"{name}.json")
        official = glm_winrate.get_length_controlled_winrate(annotations, save_weights_dir=None, is_warn_extreme_changes=False)
        train, _, weights = glm_winrate._get_featurized_data(
            annotations, glm_winrate.GLM_INFO["length_controlled_v1"]["formula"], 0.2)
        # Positions of models with dropped rows are shifted there; ours are not, so the same rows are not compared.
        x, p, s = train.drop(columns="preference").to_numpy(), train["preference"].to_numpy(), weights.to_numpy()
        times = []
        for _ in range(3):
            start = time.perf_counter()
            glm_winrate.fit_LogisticRegressionCV(train.copy(), "preference", is_ytrue_proba=True, sample_weight=weights, n_splits=5)
            times.append(time.perf_counter() - start)
        c = model["lc"]["c"]
        liblinear = LogisticRegression(penalty="l1", solver="liblinear", fit_intercept=False, C=c, random_state=123)
        w = liblinear.fit(np.concatenate([x, x]), np.repeat([1, 0], len(x)),
                          sample_weight=np.concatenate([s * p, s * (1 - p)])).coef_[0]
        z = x @ w
        objective = np.abs(w).sum() + c * (s * (np.logaddexp(0, z) - p * z)).sum()
        results[name] = {**{column: float(official[column]) for column in RAW_COLUMNS},
                         "lc": float(official["length_controlled_winrate"]), "objective": float(objective),
                         "seconds": statistics.median(times), "complete": len(annotations) == 805}
    (folder / "theirs.json").write_text(json.dumps(results))


# ---- both ----

def tapir(program, folder, *more):
    models = sorted(path for path in folder.glob("*.json") if path.stem not in ("set", "ours", "theirs"))
    command = [program, "eval", "alpaca", "score", "--annotations", *models, "--instructions", folder / "set.json",
               "--regularization", folder / "df_gamed.csv", "--allow-missing", "--json", *more]
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def compare(program, folder, python):
    ours = tapir(program, folder)
    (folder / "ours.json").write_text(json.dumps(ours))
    environment = os.environ | {"IS_ALPACA_EVAL_2": "True", "HF_HUB_OFFLINE": "1"}
    subprocess.run([python, __file__, "--peer", folder], check=True, env=environment)
    theirs = json.loads((folder / "theirs.json").read_text())
    seconds = [[run["lc"]["seconds"] for run in tapir(program, folder)["models"]] for _ in range(3)]
    rows = [(model, theirs[model["name"]]) for model in ours["models"]]
    whole = [(mine, other) for mine, other in rows if other["complete"]]
    times = [statistics.median(run) for run in zip(*seconds)]
    return {
        "models": len(rows),
        "win_rates_largest_difference": max(abs(mine[column] - other[column]) for mine, other in rows for column in RAW_COLUMNS),
        "lc_largest_difference_each_with_its_own_c": max(abs(mine["length_controlled_winrate"] - other["lc"])
                                                         for mine, other in whole),
        "objective_below_liblinear_relative": [min(values := [1 - mine["lc"]["objective"] / other["objective"]
                                                              for mine, other in whole]), max(values)],
        "c_chosen": sorted({round(mine["lc"]["c"], 4) for mine, _ in rows}),
        "choose_c_and_fit_seconds": {"tapir": statistics.median(times),
                                     "scikit-learn": statistics.median(other["seconds"] for _, other in rows)},
        "ratio": statistics.median(other["seconds"] / mine for (_, other), mine in zip(rows, times)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tapir", type=pathlib.Path, default=peers.ROOT / "build" / "tapir")
    parser.add_argument("--data", type=pathlib.Path,
                        default=pathlib.Path(os.environ.get("TAPIR_TEST_DATA", peers.ROOT.parent / "shared" / "data")))
    parser.add_argument("--peer", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(options.peer)
    python = peers.peer_python(peers.ROOT / ".venv-peers-alpaca", PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_inputs(options.data / "alpaca_eval", folder)
        print(json.dumps(compare(options.tapir.resolve(), folder, python), indent=1))


if __name__ == "__main__":
    sys.exit(main())
