"""The files of `tapir eval alpaca` in alpaca_eval itself, and alpaca_eval's figures beside ours.

python3 benchmarks/alpaca_eval_check.py [--tapir build/tapir]

The gym's base student answers a small set; a judge on loopback compares. alpaca_eval's `evaluate` then reads model_outputs.json,
takes our annotations.json for its cache of judgments (an endpoint it could ask does not exist: one row that it does not find
there ends the check) and our leaderboard.csv for the leaderboard to which it adds the model. One JSON object: rows, largest
difference of the figures, the columns of the leaderboard.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import peers

sys.path.insert(0, str(peers.ROOT / "tests" / "e2e"))
PACKAGES = ["alpaca_eval==0.6.6", "scikit-learn==1.7.2"]
OFFICIAL = "weighted_alpaca_eval_gpt4_turbo"
COLUMNS = ("win_rate", "standard_error", "n_wins", "n_wins_base", "n_draws", "n_total", "discrete_win_rate", "avg_length")


def peer(folder):
    """Runs in the environment of alpaca_eval."""
    import yaml
    from alpaca_eval import constants, main

    judge = json.loads((folder / "annotations.json").read_text())[0]["annotator"]
    folder_of_judges = constants.EVALUATORS_CONFIG_DIR
    official = yaml.safe_load((folder_of_judges / OFFICIAL / "configs.yaml").read_text())[OFFICIAL]
    official["prompt_template"] = str(folder_of_judges / official["prompt_template"])
    config = folder / "judge" / "configs.yaml"  # the official judge under our judge's name
    config.parent.mkdir()
    config.write_text(yaml.safe_dump({judge: official}))
    table, annotations = main.evaluate(
        model_outputs=str(folder / "model_outputs.json"), reference_outputs=str(folder / "set.json"), annotators_config=str(config),
        name="again", output_path=None, precomputed_leaderboard=str(folder / "leaderboard.csv"),
        is_return_instead_of_print=True, is_cache_leaderboard=False, fn_metric="get_winrate", sort_by="win_rate",
        caching_path=str(folder / "annotations.json"), annotation_kwargs={"is_ordered": True})
    print(json.dumps({"rows": len(annotations), "models": json.loads(table.to_json(orient="index"))}))


def results_of_ours(program, folder):
    """The folder that `tapir eval alpaca all` leaves; the name of its model."""
    import alpaca_test
    import tapir_run

    base = [row for row in alpaca_test.write_set(folder) if row["instruction"] != alpaca_test.REFUSED]
    (folder / "set.json").write_text(json.dumps(base))
    judge = alpaca_test.Judge(faults=0)
    done = subprocess.run([program, "eval", "alpaca", "all", "--model", tapir_run.BASE, "--baseline", folder / "set.json", "--output",
                           folder, "--json", "--set", "candidate.max_tokens=24", *judge.settings()], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["models"][0]["name"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tapir", type=pathlib.Path, default=peers.ROOT / "build" / "tapir")
    parser.add_argument("--peer", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(options.peer)
    os.environ["TAPIR_PROGRAM"] = str(options.tapir.resolve())
    python = peers.peer_python(peers.ROOT / ".venv-peers-alpaca", PACKAGES)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = results_of_ours(options.tapir.resolve(), folder)
        done = subprocess.run([python, __file__, "--peer", folder], check=True, stdout=subprocess.PIPE, text=True,
                              env=os.environ | {"HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "none", "OPENAI_BASE_URL": "http://127.0.0.1:9"})
    found = json.loads(done.stdout.splitlines()[-1])
    ours, theirs = found["models"][model], found["models"]["again"]
    print(json.dumps({"alpaca_eval": PACKAGES[0], "rows": found["rows"],
                      "largest_difference": max(abs(ours[column] - theirs[column]) for column in COLUMNS),
                      "leaderboard_columns": list(ours)}))


if __name__ == "__main__":
    sys.exit(main())
