"""`tapir train` of an adapter, killed with SIGKILL at random moments and started again each time, ends with the bytes of an
uninterrupted one: adapter, optimizer state and metrics."""

import argparse
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

import tapir_run

BASE = tapir_run.BASE
SAVE_STEPS = 3


def sums():
    return [{"prompt": f"add:{a}+{b}", "completion": f" #{a + b}"} for a in range(10) for b in range(10)]


def training(folder, output, steps):
    """With all that a resume must bring back: dropout, evaluation, the order of rows over epochs, the schedule."""
    return ("train", "--model", BASE, "--data", folder / "rows.jsonl", "--output", output, "--finetuning-type", "lora",
            "--lora-dropout", 0.1, "--learning-rate", 3e-3, "--batch-tokens", 256, "--max-steps", steps,
            "--logging-steps", 1, "--save-steps", SAVE_STEPS, "--val-size", 10, "--eval-steps", 4,
            "--check-prompts", 0)


def start(arguments):
    return subprocess.Popen(tapir_run.command(*arguments), cwd=tapir_run.ROOT, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def results(folder):
    return [(row["step"], row["loss"], row["grad_norm"], row.get("eval_loss"))
            for row in tapir_run.read_jsonl(folder / "metrics.jsonl")]


def steps_logged(work):
    try:
        return (work / "metrics.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def moments(steps, kills):
    """(step to wait for, steps to wait then): the first before any step, the others in rising order."""
    draw = random.Random(20240521)
    return [(step, draw.uniform(0, 2)) for step in [0, *sorted(draw.sample(range(1, steps - 4), kills - 1))]]


def kill_at(process, work, step, seconds):
    """Kills so long after the step, at the latest after the next two. Returns how far the training had come, and whether
    a checkpoint was being written."""
    reached = None
    while process.poll() is None and (logged := steps_logged(work)) < step + 2:
        if logged >= step:
            reached = reached or time.monotonic()
            if time.monotonic() - reached >= seconds:
                break
        time.sleep(0.0005)
    assert process.poll() is None, f"the training ended with {process.returncode} before the kill after step {step}"
    process.kill()
    process.wait()
    return steps_logged(work), (work / "writing").exists()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--kills", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tapir_run.write_jsonl(folder / "rows.jsonl", sums())
        began = time.monotonic()
        tapir_run.tapir(*training(folder, folder / "whole", options.steps), check=0)
        step_seconds = (time.monotonic() - began) / options.steps
        killed = training(folder, folder / "killed", options.steps)
        hits = [kill_at(start(killed), folder / "killed.work", step, wait * step_seconds)
                for step, wait in moments(options.steps, options.kills)]
        print(f"{len(hits)} kills after steps {[step for step, _ in hits]}, "
              f"{sum(writing for _, writing in hits)} of them in a checkpoint")
        assert not (folder / "killed").exists(), "nothing is published before the end"
        said = tapir_run.tapir(*killed, check=0).stderr
        resumed_at = re.search(r"going on from step (\d+)", said)
        assert resumed_at and int(resumed_at.group(1)) >= hits[-1][0] - SAVE_STEPS, f"no newest checkpoint:\n{said}"
        for file in ("adapter_model.safetensors", "adapter_config.json", "optimizer.safetensors"):
            assert (folder / "whole" / file).read_bytes() == (folder / "killed" / file).read_bytes(), f"{file} differs"
        assert results(folder / "whole") == results(folder / "killed"), "metrics differ"
        assert len(results(folder / "whole")) == options.steps
    return 0


if __name__ == "__main__":
    sys.exit(main())
