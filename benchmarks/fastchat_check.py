"""The files of `tapir eval mtbench` in FastChat's own scoring code, and FastChat's figures beside ours.

python3 benchmarks/fastchat_check.py [--program build/tapir] [FILE...]

FILE: <judge>_single.jsonl or _pair.jsonl, maybe .gz; without one, the gym answers as two models, rates and compares them first. FastChat is
installed without its dependencies into .venv-peers: show_result.py needs pandas only.
"""

import argparse
import gzip
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import peers

FASTCHAT = "fschat==0.2.36"
RESULT = """
import json, sys, types
import pandas as pd
from fastchat.llm_judge import show_result
tables = []
# show_result prints its tables: they are taken as they are sorted.
sort = pd.DataFrame.sort_values
def keep(self, *args, **kwargs):
    tables.append({str(index): row.to_dict() for index, row in self.iterrows()})
    return sort(self, *args, **kwargs)
pd.DataFrame.sort_values = keep
arguments = types.SimpleNamespace(input_file=sys.argv[1], bench_name="mt_bench", judge_model="", model_list=None, baseline_model=None)
(show_result.display_result_pairwise if sys.argv[2] == "pair" else show_result.display_result_single)(arguments)
print(json.dumps(tables))
"""


def fastchat_python(folder):
    python = peers.peer_python(folder, ["pandas==3.1.1"])
    if subprocess.run([python, "-c", "import fastchat.llm_judge.show_result"], stderr=subprocess.DEVNULL).returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", FASTCHAT], check=True)
    return python


def from_the_gym(program, folder):
    """Two models that the gym's judge rated, and compared in both orders."""
    def tapir(*arguments):
        subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)

    tapir("gym", "items", "--set", "pool", "--rows", 40, "--output", folder / "items.jsonl")
    prompts = [json.loads(line)["messages"][0]["content"] for line in (folder / "items.jsonl").open()]
    with (folder / "question.jsonl").open("w") as out:
        for number in range(20):
            out.write(json.dumps({"question_id": number, "category": "writing", "turns": prompts[2 * number:2 * number + 2]}) + "\n")
    common = ("--data-dir", folder)
    for name, error_rate in (("right", 0), ("wrong", 0.5)):
        tapir("eval", "mtbench", "answer", *common, "--model-id", name, "--set", f"teacher.gym.error_rate={error_rate}")
    for mode in ("single", "pair"):
        tapir("eval", "mtbench", "judge", *common, "--references", "none", "--mode", mode)
    return [folder / "model_judgment" / f"gym-judge_{mode}.jsonl" for mode in ("single", "pair")]


def plain(file, folder):
    if file.suffix != ".gz":
        return file
    unpacked = folder / file.stem
    with gzip.open(file) as source, unpacked.open("wb") as target:
        shutil.copyfileobj(source, target)
    return unpacked


def ours(program, file):
    questions = file.parent.parent / "question.jsonl"
    more = ["--questions", questions] if questions.exists() else []
    done = subprocess.run([program, "eval", "mtbench", "score", file, "--duplicates", "average", "--json", *more], capture_output=True,
                          text=True)
    if done.returncode not in (0, 6):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def compare(program, python, file):
    """Number of figures, and the largest difference."""
    pair = "g1_winner" in file.open().readline()
    done = subprocess.run([python, "-c", RESULT, file, "pair" if pair else "single"], check=True, capture_output=True, text=True)
    tables = json.loads(done.stdout.splitlines()[-1])
    report = ours(program, file)
    differences = []
    if pair:
        for rate in report["pairs"]:
            theirs = tables[0][rate["model"]]
            differences += [abs(rate[key] - theirs[key]) for key in ("win", "loss", "tie", "win_rate_adjusted")]
    else:
        for model in report["models"]:
            for table, key, index in ((0, "turn1", f"('{model['model']}', 1)"), (1, "turn2", f"('{model['model']}', 2)"),
                                      (2, "average", model["model"])):
                differences.append(abs(model[key] - tables[table][index]["score"]))
    return len(differences), max(differences)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=str(peers.ROOT / "build" / "tapir"))
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    python = fastchat_python(peers.ROOT / ".venv-peers")
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for file in options.files or from_the_gym(options.program, folder):
            count, difference = compare(options.program, python, plain(file, folder))
            worst = max(worst, difference)
            print(json.dumps({"file": file.name, "fastchat": FASTCHAT, "figures": count, "largest_difference": difference}))
    return 0 if worst < 1e-9 else 1


if __name__ == "__main__":
    sys.exit(main())
