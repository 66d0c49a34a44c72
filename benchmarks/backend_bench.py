#!/usr/bin/env python3
"""The quickstart's main arm, trained by TRL or LLaMA-Factory and by tapir itself: the same steps, the same tokens, and how
the students do in the exam. The job is killed once, and tapir once; both go on.

  ./dev bench backend_bench.py --backend trl [--python PYTHON] [--seed 1]

PYTHON: of an environment that has the backend; without it one is made in .venv-<backend> with pinned packages.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import peers

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = {"trl": peers.PEERS + peers.TRL + ["peft==0.18.1"],
            "llamafactory": ["llamafactory==0.9.5", "torch==2.11.0", "transformers==4.57.1", "accelerate==1.11.0"]}
STUDENTS = ["s0", "round-1", "round-2", "round-3"]


def recipe_of(options, folder):
    """The quickstart without its arms; LLaMA-Factory has a schedule of its own in every training."""
    text = re.sub(r"^arms:\n(  .*\n)+", "", (ROOT / "recipes" / "quickstart.yaml").read_text(), flags=re.M)
    if options.backend == "llamafactory":
        text = text.replace("schedule_scope: run", "schedule_scope: round")
    place = folder / "recipe.yaml"
    place.write_text(text.replace("assets/gym-base", str(ROOT / "assets" / "gym-base")))
    return place


def command(options, recipe, run_dir, *settings):
    return [options.program, "run", str(recipe), "--run-dir", str(run_dir), f"seed={options.seed}", "train.logging_steps=1",
            *options.settings, *settings]


def job_of(run_dir, student):
    return run_dir / "students" / f"{student}.job"


def wait_for_step(process, job, step):
    """Until the job says that it has taken this step."""
    while process.poll() is None:
        files = [job / "progress.jsonl", job / "output" / "trainer_log.jsonl"]
        if any(file.exists() and len(file.read_text().splitlines()) >= step for file in files):
            return
        time.sleep(0.2)
    raise SystemExit(f"tapir ended before {job} came to step {step}")


def workers(job):
    """Processes that train in this folder."""
    found = []
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().decode().split("\0")
            if os.readlink(place / "cwd") == str(job) and "RANK" in (place / "environ").read_text() and "python" in words[0]:
                found.append((int(re.search(r"\0RANK=(\d+)", (place / "environ").read_text())[1]), int(place.name)))
        except (OSError, TypeError):
            continue
    return [pid for _, pid in sorted(found)]


def run_with_kills(options, recipe, run_dir):
    settings = [f"train.backend={options.backend}", f"train.processes={options.processes}", f"train.python={options.python}",
                "train.save_steps=100"]
    process = subprocess.Popen(command(options, recipe, run_dir, *settings), cwd=ROOT, stdout=subprocess.DEVNULL)
    wait_for_step(process, job_of(run_dir, "s0"), 250)
    os.kill(workers(job_of(run_dir, "s0"))[-1], signal.SIGKILL)
    print("killed one process of S_0's job", flush=True)
    wait_for_step(process, job_of(run_dir, "round-1"), 250)
    process.kill()
    process.wait()
    print("killed tapir in round 1", flush=True)
    subprocess.run(command(options, recipe, run_dir, *settings), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def losses(run_dir, student):
    name = student if student == "s0" else f"tapir-{student}"
    rows = [json.loads(line) for line in (run_dir / "metrics" / f"{name}.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows], rows[-1]


def summary_of(options, run_dir):
    status = json.loads(subprocess.run([options.program, "status", str(run_dir), "--json"], check=True, capture_output=True,
                                       cwd=ROOT).stdout)
    accuracy = {s["student"].split("/")[-1]: 100 * s["macro_accuracy"] for s in status["students"]}
    unbalanced = [s["stage"] for s in status["stages"]
                  if "ledger" in s and s["ledger"]["in"] != sum(s["ledger"][k] for k in ("done", "failed", "filtered"))]
    return accuracy, unbalanced


def compare(options, native, other):
    print(f"\n{'student':10}{'steps':>7}{'supervised tokens':>26}{'first loss':>24}{'all losses':>12}{'accuracy, native':>18}"
          f"{options.backend:>14}")
    mine, theirs = summary_of(options, native), summary_of(options, other)
    for student in STUDENTS:
        (ours, last), (found, their_last) = losses(native, student), losses(other, student)
        worst = max(abs(a - b) for a, b in zip(ours, found, strict=True)) if student == "s0" else float("nan")
        tokens = f"{last['supervised_tokens']} = {their_last['supervised_tokens']}"
        print(f"{student:10}{len(found):7}{tokens:>26}{ours[0]:14.7f}{abs(ours[0] - found[0]):10.1e}{worst:12.1e}"
              f"{mine[0][student]:17.1f} {theirs[0][student]:13.1f}")
    print("stages whose ledger does not balance:", theirs[1] or "none")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=sorted(PACKAGES), default="trl")
    parser.add_argument("--python")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default=str(ROOT / "build" / "tapir"))
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "runs" / "backends")
    parser.add_argument("settings", nargs="*", help="key=value, over the recipe's own")
    options = parser.parse_args()
    options.python = options.python or peers.peer_python(ROOT / f".venv-{options.backend}", PACKAGES[options.backend])
    folder = (options.folder / f"{options.backend}-{options.seed}").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    recipe = recipe_of(options, folder)
    start = time.monotonic()
    subprocess.run(command(options, recipe, folder / "native"), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    between = time.monotonic()
    run_with_kills(options, recipe, folder / options.backend)
    print(f"native {between - start:.0f} s, {options.backend} {time.monotonic() - between:.0f} s")
    compare(options, folder / "native", folder / options.backend)


if __name__ == "__main__":
    main()
