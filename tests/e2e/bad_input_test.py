"""What users get wrong: each ends with what, where and what to do, the right exit code, and the run usable afterwards."""

import json
import pathlib
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

import tapir_run

BASE = tapir_run.BASE


def expect(code, words, *arguments, **options):
    done = subprocess.run(tapir_run.command(*arguments), cwd=tapir_run.ROOT, capture_output=True, text=True, **options)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}, expected {code}\n{done.stderr[-2000:]}"
    for word in words:
        assert word in done.stderr, f"{arguments}: expected {word!r} in\n{done.stderr[-2000:]}"
    print(f"ok  exit {code}  {done.stderr.strip().splitlines()[-2:]}")
    return done


def recipes(folder):
    run = ("run", "recipes/e2e.yaml", "--run-dir", folder / "never")
    expect(2, ["command line", "unknown key train.learning_rat", "did you mean train.learning_rate"], *run, "train.learning_rat=1")
    expect(2, ["command line: curriculum.rounds", "whole", "many"], *run, "curriculum.rounds=many")
    expect(2, ["curriculum.rounds", "from 1 to 100"], *run, "curriculum.rounds=0")
    expect(2, ["curriculum.alpha", "from 0 to 1"], *run, "curriculum.alpha=1.5")
    expect(2, ["no/such.yaml"], "run", "no/such.yaml")
    expect(2, ["--until", "difficulty"], *run, "--until", "difficult")
    expect(2, [], "no-such-verb")


def data_files(folder):
    items = folder / "items.jsonl"
    tapir_run.tapir("gym", "items", "--rows", 60, "--output", items, check=0)
    lines = items.read_text().splitlines()

    def run_on(name, text, code, words):
        file = folder / name
        file.write_text(text)
        expect(code, words, "run", "recipes/e2e.yaml", "--run-dir", folder / f"run-{name}", "data.gym.rows=0",
               f"data.instructions=[{file}]", "difficulty.held_out_rows=0", "--until", "data")

    run_on("line17.jsonl", "\n".join(lines[:16] + ['{"id": "x", "messages": [']) + "\n", 3, ["line17.jsonl:17"])
    run_on("empty.jsonl", "", 3, ["empty.jsonl"])
    run_on("twice.jsonl", "\n".join([lines[0], lines[0]]), 3, ["twice.jsonl:2", "id"])
    run_on("form.jsonl", '{"foo": 1}\n', 3, ["form.jsonl:1"])
    long_row = {"id": "long", "messages": [{"role": "user", "content": "word " * 5000}], "response": "yes"}
    (folder / "long.jsonl").write_text(json.dumps(long_row) + "\n")
    expect(3, ["long"], "train", "--model", BASE, "--data", folder / "long.jsonl",
           "--output", folder / "trained", "--cutoff-len", 64)


def student_folders(folder):
    def broken(name, words, change):
        copy = folder / name
        shutil.copytree(BASE, copy)
        change(copy)
        expect(3, words, "run", "recipes/e2e.yaml", "--run-dir", folder / f"run-{name}",
               f"student.model_name_or_path={copy}")

    broken("no-tokenizer", ["tokenizer.json"], lambda f: (f / "tokenizer.json").unlink())
    def truncate(f):
        weights = f / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:5000])
    broken("truncated", ["model.safetensors"], truncate)
    def reshape(f):
        config = json.loads((f / "config.json").read_text())
        config["intermediate_size"] += 8
        (f / "config.json").write_text(json.dumps(config))
    broken("contradiction", ["model.safetensors", "shape"], reshape)
    expect(3, ["no/such/model"], "run", "recipes/e2e.yaml", "--run-dir", folder / "run-no-model",
           "student.model_name_or_path=no/such/model")


def stores(folder):
    run_dir = folder / "store"
    small = ("run", "recipes/e2e.yaml", "--run-dir", run_dir, "--until", "difficulty")
    tapir_run.tapir(*small, check=0)
    with sqlite3.connect(run_dir / "run.db") as db:
        version = db.execute("pragma user_version").fetchone()[0]
        db.execute(f"pragma user_version = {version + 1}")
    expect(3, ["run.db", str(version + 1)], *small)
    with sqlite3.connect(run_dir / "run.db") as db:
        db.execute(f"pragma user_version = {version}")
    tapir_run.tapir(*small, check=0)

    expect(3, ["/proc/tapir-run"], "run", "recipes/e2e.yaml", "--run-dir", "/proc/tapir-run")
    expect(3, ["no run folder"], "status", folder)

    # A disk that is full: no file may grow past 300 kB. The same command goes on once there is room.
    def full_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    full = folder / "full"
    expect(3, [str(full)], "run", "recipes/e2e.yaml", "--run-dir", full, "--until", "difficulty", preexec_fn=full_disk)
    tapir_run.tapir("run", "recipes/e2e.yaml", "--run-dir", full, "--until", "difficulty", check=0)
    assert tapir_run.integrity(full) == "ok"


def interruption(folder):
    run_dir = folder / "interrupted"
    process = subprocess.Popen(tapir_run.command("run", "recipes/e2e.yaml", "--run-dir", run_dir), cwd=tapir_run.ROOT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "s0/train" in line:
            break
    # A second run on a live run is refused with the holder named.
    expect(2, [str(process.pid)], "run", "recipes/e2e.yaml", "--run-dir", run_dir)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait() == 130, f"exit {process.returncode}\n{rest}"
    assert "goes on" in rest, rest
    tapir_run.tapir("run", "recipes/e2e.yaml", "--run-dir", run_dir, check=0)


def main():
    for cases in (recipes, data_files, student_folders, stores, interruption):
        with tempfile.TemporaryDirectory() as folder:
            print(f"-- {cases.__name__}")
            cases(pathlib.Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
