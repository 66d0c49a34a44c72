"""train.backend: students that another program trains. The program here is a script around `tapir train`, started by
train.launch; benchmarks/backend_bench.py has TRL and LLaMA-Factory. And none: the run stops, and goes on with --student,
in a copy of its folder too."""

import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile

import tapir_run

USAGE, DATA, ENDPOINT, WAITING = 2, 3, 4, 7
UNTIL = "tapir/round-1/train"

RECIPE = f"""
name: handed-over
seed: 1
student:
  model_name_or_path: {tapir_run.BASE}
  device: cpu
  generation: {{temperature: 0, max_new_tokens: 64, slots: 32}}
data: {{gym: {{rows: 120}}, responses: keep}}
teacher: {{kind: gym}}
judge: {{kind: gym}}
tasks: {{taxonomy: gym, classifier: given}}
teach: {{expand: false}}
curriculum: {{rounds: 1, rows: 120}}
train: {{learning_rate: 2.0e-4, cutoff_len: 320, total_batch_size: 16, num_train_epochs: 1}}
evaluate: {{exam: {{uniform: 32, pool: 0, beyond: 0}}}}
"""

# Trains the rows of a job, says so as jobs do, and is killed in the middle the first time.
PEER = f"""
import json, os, pathlib, signal, subprocess, sys
job = pathlib.Path(sys.argv[1])
about = json.loads((job / "job.json").read_text())
steps = json.loads((job / "steps.json").read_text())
with open(job / "progress.jsonl", "a") as file:
    file.write(json.dumps({{"step": 1, "loss": 1.5, "learning_rate": steps["learning_rate"][0]}}) + "\\n")
if not (job / "killed").exists():
    (job / "killed").touch()
    os.kill(os.getpid(), signal.SIGKILL)
subprocess.run([{str(tapir_run.PROGRAM)!r}, "train", "--model", about["start"], "--data", str(job / "data.jsonl"), "--output",
                str(job / "output"), "--learning-rate", str(about["learning_rate"]), "--num-train-epochs", "1", "--cutoff-len", "320"], check=True)
rows = [row for step in steps["rows"] for row in step]
data = [json.loads(line) for line in (job / "data.jsonl").read_text().splitlines()]
(job / "result.json").write_text(json.dumps({{
    "digest": about["digest"], "steps": len(steps["rows"]), "rows": len(rows),
    "tokens": sum(len(data[row]["input_ids"]) for row in rows),
    "supervised_tokens": sum(sum(data[row]["completion_mask"]) for row in rows), "versions": {{"peer": "1.0"}}}}))
"""


def run(recipe, run_dir, *more, check=None):
    return tapir_run.tapir("run", recipe, "--run-dir", run_dir, "--until", UNTIL, *more, check=check)


def trainings(run_dir):
    with tapir_run.database(run_dir) as db:
        return db.execute("select student, steps, tokens, supervised_tokens from trainings order by student").fetchall()


def a_job_is_killed_and_goes_on(recipe, folder):
    peer = folder / "peer.py"
    peer.write_text(PEER)
    launch = f'train.launch="{sys.executable} {peer} {{job}}"'
    done = run(recipe, folder / "job", "train.backend=trl", launch, check=0)
    assert done.stderr.count("started again") == 2, done.stderr  # S_0 and the round
    assert done.stderr.count("taken back from trl (peer 1.0)") == 2, done.stderr
    run(recipe, folder / "native", check=0)
    ours, theirs = trainings(folder / "native"), trainings(folder / "job")
    assert [row[0] for row in ours] == [row[0] for row in theirs] and len(ours) == 2, (ours, theirs)
    assert ours[0] == theirs[0], (ours, theirs)  # the rounds differ in their rows: S_0 answered otherwise
    again = run(recipe, folder / "job", "train.backend=trl", launch, check=0)
    assert "started again" not in again.stderr, again.stderr
    other = run(recipe, folder / "job")
    assert other.returncode == USAGE and "--accept-changes" in other.stderr, other.stderr


def a_job_that_fails_says_why(recipe, folder):
    for name, command, code, words in (
            ("fails", "sh -c 'echo no room on device; exit 3' {job}", ENDPOINT, "no room on device"),
            ("empty", "true {job}", DATA, "there is no"),
            ("slot", "sbatch {jobs}/launch.sh", USAGE, "train.launch")):
        done = run(recipe, folder / name, "train.backend=trl", "train.launch=" + json.dumps(command))
        assert done.returncode == code and words in done.stderr, (name, done.returncode, done.stderr)
    done = run(recipe, folder / "python", "train.backend=trl", "train.python=/nowhere/python3")
    assert done.returncode == USAGE and "there is no program /nowhere/python3" in done.stderr, done.stderr
    done = run(recipe, folder / "processes", "train.processes=2")
    assert done.returncode == USAGE and "train.processes is set" in done.stderr, done.stderr


def train_elsewhere(job, output):
    about = json.loads((job / "job.json").read_text())
    tapir_run.tapir("train", "--model", about["start"], "--data", job / "data.jsonl", "--output", output, "--learning-rate",
                    "2e-4", "--num-train-epochs", "1", "--cutoff-len", "320", check=0)


def begun_elsewhere(run_dir):
    """Before any student: whatever is trained from here on is of that machine's run."""
    with sqlite3.connect(run_dir / "run.db") as db:
        assert db.execute("update meta set value = 'torch 2.11.0, another CPU, kernels' where key = 'machine'").rowcount == 1


def none_waits_for_a_student(recipe, folder):
    first = folder / "none"
    tapir_run.tapir("run", recipe, "--run-dir", first, "--until", "data", "train.backend=none", check=0)
    begun_elsewhere(first)
    done = run(recipe, first, "train.backend=none", "--allow-other-machine")
    assert done.returncode == WAITING and "--student" in done.stderr and "data.jsonl" in done.stderr, done.stderr
    job = first / "students" / "s0.job"
    mine = ("train.backend=none", "--allow-other-machine", "--student")
    bad = run(recipe, first, *mine, tapir_run.BASE)
    assert bad.returncode == DATA and "nothing was learnt" in bad.stderr, bad.stderr
    train_elsewhere(job, folder / "mine")
    broken = folder / "broken"
    shutil.copytree(folder / "mine", broken)
    config = json.loads((broken / "config.json").read_text())
    config["vocab_size"] += 64
    (broken / "config.json").write_text(json.dumps(config))
    bad = run(recipe, first, *mine, broken)
    assert bad.returncode == DATA and "vocabulary" in bad.stderr, bad.stderr
    # The next training waits in its turn, in a copy of the folder as well.
    done = run(recipe, first, *mine, folder / "mine")
    assert done.returncode == WAITING and "tapir/round-1/train waits" in done.stderr, done.stderr
    copy = folder / "copied"
    shutil.copytree(first, copy)
    train_elsewhere(copy / "students" / "round-1.job", folder / "next")
    refused = run(recipe, copy, "train.backend=none", "--student", folder / "next")
    assert refused.returncode not in (0, WAITING) and "another CPU" in refused.stderr, refused.stderr
    run(recipe, copy, *mine, folder / "next", check=0)
    assert [row[0] for row in trainings(copy)] == ["s0", "tapir/round-1"], trainings(copy)
    done = run(recipe, folder / "native", "--student", folder / "next")
    assert done.returncode == USAGE and "train.backend is native" in done.stderr, done.stderr


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        recipe = folder / "recipe.yaml"
        recipe.write_text(RECIPE)
        a_job_is_killed_and_goes_on(recipe, folder)
        a_job_that_fails_says_why(recipe, folder)
        none_waits_for_a_student(recipe, folder)


if __name__ == "__main__":
    sys.exit(main())
