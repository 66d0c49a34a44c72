"""A gym run killed with SIGKILL at random moments ends as an uninterrupted one: same weights to the byte, same rows;
every durable reply was asked for once, and repeats are at most the requests that were in flight at the kills."""

import argparse
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import tapir_run

IN_FLIGHT = 64  # max_concurrent_requests of the recipe, for each of the two roles


def run_once(recipe, run_dir, log):
    return subprocess.Popen(tapir_run.command("run", recipe, "--run-dir", run_dir), cwd=tapir_run.ROOT,
                            stdout=log, stderr=log)


# Short stages that a random moment seldom meets: answering, judging, teaching.
ALWAYS = ["s0/answers", "difficulty", "tapir/round-1/expand", "tapir/round-2/refine"]


def targets(stages, kills):
    """In the order of the plan: (stage, seconds after its begin) to kill at."""
    draw = random.Random(20240521)
    names = [name for name, _ in stages]
    others = draw.sample([name for name in names if name not in ALWAYS], kills - len(ALWAYS))
    chosen = sorted(ALWAYS + others, key=names.index)
    return [(name, draw.uniform(0, 0.9) * dict(stages)[name]) for name in chosen]


def has_begun(run_dir, stage):
    try:
        with tapir_run.database(run_dir) as db:
            return db.execute("select count(*) from stages where name = ?", (stage,)).fetchone()[0] > 0
    except sqlite3.Error:  # the store is not there yet, or is being made
        return False


def killed_run(recipe, run_dir, moments, log):
    """Starts and kills at the given moments; returns the stages that were hit."""
    hits = []
    for stage, delay in moments:
        process = run_once(recipe, run_dir, log)
        while process.poll() is None and not has_begun(run_dir, stage):
            time.sleep(0.001)
        time.sleep(delay)
        if process.poll() is not None:
            raise AssertionError(f"the run ended with {process.returncode} on its own before {stage} was hit")
        process.send_signal(signal.SIGKILL)
        process.wait()
        hits.append(stage_at(run_dir))
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
        tapir_run.tapir("run", options.recipe, "--run-dir", folder / "whole", check=0)
        with open(folder / "log.txt", "w") as log:
            moments = targets(stage_seconds(folder / "whole"), options.kills)
            hits = killed_run(options.recipe, folder / "killed", moments, log)
        tapir_run.tapir("run", options.recipe, "--run-dir", folder / "killed", check=0)
        print(f"{len(hits)} kills in: {', '.join(hits)}")
        assert tapir_run.integrity(folder / "killed") == "ok"
        whole, killed = tapir_run.rows(folder / "whole"), tapir_run.rows(folder / "killed")
        for table in whole:
            assert whole[table] == killed[table], f"table {table} differs: {set(whole[table]) ^ set(killed[table])}"[:2000]
        assert tapir_run.weights(folder / "whole") == tapir_run.weights(folder / "killed"), "weights differ"
        with tapir_run.database(folder / "killed") as db:
            replies, repeats = db.execute("select count(*), sum(sends - 1) from replies").fetchone()
        print(f"{replies} distinct requests, {repeats} repeats (at most {2 * IN_FLIGHT * len(hits)} allowed)")
        assert repeats <= 2 * IN_FLIGHT * len(hits)
    return 0


if __name__ == "__main__":
    sys.exit(main())
