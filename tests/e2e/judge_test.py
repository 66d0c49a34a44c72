"""`tapir judge` as users run it: exit codes, rows in and out, and kills in the middle."""

import json
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import tempfile
import time

import tapir_run

DATA = pathlib.Path(os.environ.get("TAPIR_TEST_DATA", tapir_run.ROOT.parent / "shared" / "data"))


def read(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def write(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def reading(folder):
    """Recorded judgments, from standard input and from files; 6 where one cannot be read."""
    reviews = folder / "reviews.jsonl"
    write(reviews, [{"id": "a", "text": "8 6.5\nwords"}, {"id": "b", "text": "words"}])
    done = tapir_run.tapir("judge", "read", "--form", "pair", "--input", reviews, "--output", folder / "out.jsonl", "--json",
                           check=6)
    assert json.loads(done.stdout) == {"rows": 2, "read": 1, "failed": {"unreadable": 1}}
    assert read(folder / "out.jsonl") == [{"id": "a", "scores": [8.0, 6.5], "status": "ok"},
                                          {"id": "b", "scores": None, "status": "unreadable"}]
    piped = subprocess.run(tapir_run.command("judge", "read", "--form", "rating", "-"), input='{"id": 1, "text": "Rating: [[7]]"}',
                           capture_output=True, text=True, check=True)
    assert json.loads(piped.stdout) == {"id": 1, "scores": [7.0], "status": "ok"}
    tapir_run.tapir("judge", "read", "--form", "prose", reviews, check=2)
    tapir_run.tapir("judge", "read", "--form", "pair", folder / "missing.jsonl", check=3)
    tapir_run.tapir("judge", check=2)
    tapir_run.tapir("judge", "--input", reviews, "--output", folder / "o", check=3)  # no instruction rows


def recorded(folder):
    """The program on the recorded judgments of the test data: 0 differences."""
    if not (DATA / "mt_bench").exists():
        print("skipped: no test data at", DATA)
        return
    rows, scores = [], []
    for file in sorted((DATA / "judge_outputs" / "vicuna80").glob("*.jsonl")):
        for row in read(file):
            rows.append({"id": len(rows), "text": row["text"]})
            scores.append(row["score"])
    write(folder / "reviews.jsonl", rows)
    tapir_run.tapir("judge", "read", "--form", "pair", folder / "reviews.jsonl", "--output", folder / "out.jsonl", check=6)
    found = read(folder / "out.jsonl")
    assert [row["scores"] for row in found] == scores and len(scores) == 320
    # One was recorded as it stands, a 0, and is no score of the scale.
    assert [row["scores"] for row in found if row["status"] != "ok"] == [[0, 9]]


def killed(folder):
    """kill -9 in the middle of judging: the same rows in the end, and no reply twice."""
    items = folder / "items.jsonl"
    tapir_run.tapir("gym", "items", "--set", "pool", "--rows", 3000, "--output", items, check=0)
    rows = read(items)
    for number, row in enumerate(rows):
        row["student_response"] = row["response"] if number % 3 else "?"
    write(items, rows)
    arguments = ("judge", "--input", items, "--set", "judge.orders=both", "--set", "judge.gym.malformed_rate=0.1",
                 "--set", "judge.max_attempts=12", "--output")
    tapir_run.tapir(*arguments, folder / "whole.jsonl", check=0)
    output = folder / "parts.jsonl"
    pauses, kills = random.Random(4), 0
    for _ in range(8):
        process = subprocess.Popen(tapir_run.command(*arguments, output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(pauses.uniform(0.05, 0.35))
        kills += process.poll() is None
        process.kill()
        process.wait()
    tapir_run.tapir(*arguments, output, check=0)
    assert output.read_bytes() == (folder / "whole.jsonl").read_bytes()
    with sqlite3.connect(f"file:{output}.tapir/run.db?mode=ro", uri=True) as db:
        replies, sends = db.execute("select count(*), sum(sends) from replies").fetchone()
    in_flight = 64  # judge.max_concurrent_requests
    assert replies > 3000 and sends <= replies + kills * in_flight, (replies, sends, kills)
    print(f"{kills} kills, {replies} replies, {sends} sends")


def main():
    for cases in (reading, recorded, killed):
        with tempfile.TemporaryDirectory() as folder:
            cases(pathlib.Path(folder))
            print(f"ok  {cases.__name__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
