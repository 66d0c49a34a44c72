"""What the end-to-end tests share: running the program, and what two runs must agree on."""

import hashlib
import json
import os
import pathlib
import sqlite3
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = ROOT / "assets" / "gym-base"  # the gym's first student
PROGRAM = os.environ.get("TAPIR_PROGRAM", str(ROOT / "build" / "tapir"))

# Columns that may differ between two runs with the same results: when, how long, and how often something was sent.
VOLATILE = {"seq", "seconds", "sends", "created", "started", "ended", "status", "usd"}


def command(*arguments):
    return [PROGRAM, *map(str, arguments)]


def tapir(*arguments, check=None, cwd=ROOT):
    done = subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True)
    if check is not None and done.returncode != check:
        raise AssertionError(f"{arguments}: exit {done.returncode}, expected {check}\n{done.stdout}\n{done.stderr}")
    return done


def read_jsonl(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def write_jsonl(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def database(run_dir):
    return sqlite3.connect(f"file:{run_dir / 'run.db'}?mode=ro", uri=True)


def rows(run_dir, without=()):
    """Every row of every table that results are made of, without the volatile columns and those of `without`."""
    out = {}
    with database(run_dir) as db:
        tables = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            if table in ("meta", "sqlite_sequence"):
                continue
            columns = [c[1] for c in db.execute(f"pragma table_info('{table}')") if c[1] not in VOLATILE and c[1] not in without]
            out[table] = sorted(map(repr, db.execute(f"select {', '.join(columns)} from '{table}'")))
    return out


def weights(run_dir):
    files = sorted(run_dir.glob("students/**/model.safetensors")) + sorted(run_dir.glob("arms/**/model.safetensors"))
    return {str(f.relative_to(run_dir)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files
            if ".work" not in str(f)}


def usage(run_dir):
    """Over all replies: (distinct requests, sends, failed, unknown)."""
    with database(run_dir) as db:
        return db.execute("select count(*), sum(sends), sum(status not in ('ok', 'unknown')), sum(status = 'unknown') "
                          "from replies").fetchone()


def integrity(run_dir):
    with database(run_dir) as db:
        return db.execute("pragma integrity_check").fetchone()[0]
