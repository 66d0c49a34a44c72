"""A gym run killed with SIGKILL at random moments ends as an uninterrupted one: same weights to the byte, same rows;
every durable reply was asked for once, and repeats are at most the requests that were in flight at the kills."""

import argparse
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import tapir_run

IN_FLIGHT = 64  # max_concurrent_requests of the recipe, for each of the two roles


def run_once(recipe, run_dir, log):
    return subprocess.Popen(tapir_run.command("run", recipe, "--run-dir", run_dir), cwd=tapir_run.ROOT,
                            stdout=log, stderr=log)


def delays(whole, startup_seconds, first_seconds, kills):
    """Moments to kill at, in seconds after a start: half of them within the stages before the first exam (answering,
    judging, teaching), which are short, the others anywhere in what is left."""
    draw = random.Random(20240521)
    rest = max(whole - startup_seconds - first_seconds, 0)
    for kill in range(kills):
        span, low, high = (first_seconds, 0.02, 0.3) if kill < kills // 2 else (rest, 0.02, 0.13)
        yield 0.8 * startup_seconds + draw.uniform(low, high) * span


def killed_run(recipe, run_dir, moments, log):
    """Starts and kills at the given moments; returns the stages that were hit."""
    hits = []
    for moment in moments:
        process = run_once(recipe, run_dir, log)
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            hits.append(stage_at(run_dir))
            continue
        if process.returncode != 0:
            raise AssertionError(f"the run ended with {process.returncode} on its own after {len(hits)} kills")
        break  # finished before all kills were done
    return hits


def stage_seconds(run_dir):
    with tapir_run.database(run_dir) as db:
        return db.execute("select name, seconds from stages order by seq").fetchall()


def stage_at(run_dir):
    try:
        with tapir_run.database(run_dir) as db:
            open_stages = db.execute("select name from stages where finished = 0").fetchall()
            return open_stages[0][0] if open_stages else "between stages"
    except Exception:  # the store is not there yet
        return "start"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe", default="recipes/e2e.yaml")
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        start = time.monotonic()
        tapir_run.tapir("run", options.recipe, "--run-dir", folder / "whole", check=0)
        whole_seconds = time.monotonic() - start
        with open(folder / "log.txt", "w") as log:
            stages = stage_seconds(folder / "whole")
            first = sum(seconds for _, seconds in stages[:[name for name, _ in stages].index("exam/s0")])
            startup = whole_seconds - sum(seconds for _, seconds in stages)
            moments = delays(whole_seconds, startup, first, options.kills)
            hits = killed_run(options.recipe, folder / "killed", moments, log)
        tapir_run.tapir("run", options.recipe, "--run-dir", folder / "killed", check=0)
        print(f"uninterrupted {whole_seconds:.1f} s; {len(hits)} kills in: {', '.join(hits)}")
        assert tapir_run.integrity(folder / "killed") == "ok"
        whole, killed = tapir_run.rows(folder / "whole"), tapir_run.rows(folder / "killed")
        for table in whole:
            assert whole[table] == killed[table], f"table {table} differs: {set(whole[table]) ^ set(killed[table])}"[:2000]
        assert tapir_run.weights(folder / "whole") == tapir_run.weights(folder / "killed"), "weights differ"
        with tapir_run.database(folder / "killed") as db:
            replies, repeats = db.execute("select count(*), sum(sends - 1) from replies").fetchone()
        print(f"{replies} distinct requests, {repeats} repeats (at most {2 * IN_FLIGHT * len(hits)} allowed)")
        assert repeats <= 2 * IN_FLIGHT * len(hits)
        assert len(hits) == options.kills, f"only {len(hits)} of {options.kills} kills hit a live run"
    return 0


if __name__ == "__main__":
    sys.exit(main())
