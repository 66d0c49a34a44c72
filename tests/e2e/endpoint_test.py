"""A run over HTTP against `tapir gym serve`, with 30 % faults for every attempt, ends as the run in process: same selected
set, same mixtures, same weights. With --kills it is also killed again and again; the server counts what it was sent."""

import argparse
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import serving
import tapir_run

FAULTS = ("--seed", 1, "--fault-rate", 0.3, "--retry-after", 0.02, "--slow-by", 0.05)
IN_FLIGHT = 64  # max_concurrent_requests of the recipe, for each of the two roles
# Of what depends on the road: names of replies, and how often the judge had to be asked.
BY_THE_WAY = ("reply_key", "attempt", "fingerprint", "info", "text", "tokens")
TABLES = ("instructions", "tasks", "fits", "mixture", "teach_rows", "exam_rows")


def settings(served):
    return served.settings("max_retries=30") + ["judge.max_attempts=10"]


def same(whole, other):
    rows = [tapir_run.rows(folder, BY_THE_WAY) for folder in (whole, other)]
    for table in TABLES:
        assert rows[0][table] == rows[1][table], f"{table} differs: {set(rows[0][table]) ^ set(rows[1][table])}"[:2000]
    assert tapir_run.weights(whole) == tapir_run.weights(other), "weights differ"
    assert tapir_run.integrity(other) == "ok"


def kill_often(command, log, seconds):
    """Runs until it ends by itself; SIGKILL after about so many seconds, again and again. The number of kills. A life gets longer
    with their number: on a machine that is slow enough a run would never get beyond its start."""
    draw = random.Random(7)
    for kills in range(10_000):
        process = subprocess.Popen(command, cwd=tapir_run.ROOT, stdout=log, stderr=log)
        try:
            process.wait(draw.uniform(0.5, 1.5) * seconds * (1 + kills / 50))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            continue
        assert process.returncode == 0, f"exit {process.returncode}"
        return kills
    raise AssertionError("it never ends")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe", default="recipes/e2e.yaml")
    parser.add_argument("--kill-every", type=float, default=0, help="seconds; 0: never")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving.gym(*FAULTS) as served:
        folder = pathlib.Path(folder)
        tapir_run.tapir("run", options.recipe, "--run-dir", folder / "inside", check=0)
        over = ("run", options.recipe, "--run-dir", folder / "over", *settings(served))
        start = time.monotonic()
        kills = 0
        if options.kill_every:
            with open(folder / "log.txt", "w") as log:
                kills = kill_often(tapir_run.command(*over), log, options.kill_every)
        tapir_run.tapir(*over, check=0)
        same(folder / "inside", folder / "over")
        counts, faults = served.counts(), served.faults()
        sends, distinct = int(counts["tapir_sends_total"]), int(counts["tapir_distinct_requests"])
        replies, booked, failed, unknown = tapir_run.usage(folder / "over")
        print(f"{time.monotonic() - start:.1f} s, {kills} kills; the server: {distinct} distinct requests, {sends} sends, "
              f"faults {faults}; the store: {replies} replies, {booked} sends, {failed} failed, {unknown} unknown")
        assert failed == 0 and unknown == 0
        assert min(faults[kind] for kind in ("throttle", "error", "cut", "slow", "half", "garble")) > 5
        # Faults after which the same is sent again.
        again = sum(faults[kind] for kind in ("throttle", "error", "cut", "half"))
        assert sends <= distinct + again + 2 * IN_FLIGHT * kills
        assert distinct >= replies if kills else distinct == replies
        if not kills:
            assert sends == booked == distinct + again
        # Every reply is there: once more, nobody is asked.
        tapir_run.tapir(*over, check=0)
        assert int(served.counts()["tapir_sends_total"]) == sends
    return 0


if __name__ == "__main__":
    sys.exit(main())
