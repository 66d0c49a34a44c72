"""`tapir eval order` on a finished run: real trainings in other orders, killed once, gone on with, and the run left as it was."""

import json
import pathlib
import signal
import subprocess
import tempfile
import time

import tapir_run


def killed_in_training(command, folder):
    """Starts the command and kills it once the first other order has a checkpoint or is done."""
    process = subprocess.Popen(tapir_run.command(*command), cwd=tapir_run.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if list(folder.glob("order-2.work/checkpoint-*")) or (folder / "order-2").exists():
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def main():
    with tempfile.TemporaryDirectory() as name:
        run = pathlib.Path(name) / "run"
        tapir_run.tapir("run", "recipes/e2e.yaml", "--run-dir", run, "arms={}", check=0)
        rows, weights = tapir_run.rows(run), tapir_run.weights(run)
        order = ("eval", "order", run, "--round", 2, "--orders", 3)
        output = run / "orders" / "tapir-round-2"
        killed_in_training((*order, "--json"), output)
        done = tapir_run.tapir(*order, "--json", check=0)
        found = json.loads(done.stdout)
        assert found["arm"] == "tapir" and found["round"] == 2, found
        assert len({entry["steps"] for entry in found["orders"]}) == 1, found["orders"]
        assert len({entry["tokens"] for entry in found["orders"]}) == 1, found["orders"]
        digests = {pathlib.Path(entry["folder"], "model.safetensors").read_bytes() for entry in found["orders"]}
        assert len(digests) == 3, "each order makes a student of its own"
        (measure,) = found["measures"]
        assert measure["measure"] == "accuracy" and measure["overall"]["items"] == 160, measure
        assert len(measure["overall"]["means"]) == 3 and 0 < measure["overall"]["p"] <= 1, measure["overall"]
        assert measure["overall"]["sd_by_chance"] > 0 and len(measure["pairs"]) == 3, measure
        # As if never killed: the same students, bit for bit; and a finished trial trains nothing.
        elsewhere = pathlib.Path(name) / "elsewhere"
        again = json.loads(tapir_run.tapir(*order, "--output", elsewhere, "--json", check=0).stdout)
        assert again["measures"] == found["measures"]
        for number in (2, 3):
            assert (elsewhere / f"order-{number}" / "model.safetensors").read_bytes() == \
                   (output / f"order-{number}" / "model.safetensors").read_bytes()
        assert json.loads(tapir_run.tapir(*order, "--json", check=0).stdout) == found
        assert "order matters" in tapir_run.tapir(*order, check=0).stdout.lower()
        assert tapir_run.rows(run) == rows and tapir_run.weights(run) == weights, "the run is as it was"
        tapir_run.tapir("run", "recipes/e2e.yaml", "--run-dir", run, "arms={}", check=0)
        tapir_run.tapir(*order[:3], "--arm", "plain", check=2)
        tapir_run.tapir(*order[:3], "--round", 4, check=2)
        tapir_run.tapir(*order, "--seed", 9, check=2)
        tapir_run.tapir("eval", "order", pathlib.Path(name), check=3)
    print("ok: orders")


if __name__ == "__main__":
    main()
