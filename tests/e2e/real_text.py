"""A cut of the real data and a fresh student for it: what the tests of recipes/alpaca_offline.yaml share."""

import gzip
import json
import os
import pathlib

import tapir_run

DATA = pathlib.Path(os.environ.get("TAPIR_TEST_DATA", tapir_run.ROOT.parent / "shared" / "data"))
ALPACA, GSM8K = "alpaca_union_17k.jsonl.gz", "gsm8k_train.jsonl.gz"
LABELLED = DATA / "tasks" / "auto-j_scenarios_train.jsonl.gz"
RECIPE = "recipes/alpaca_offline.yaml"
SKIPPED = 77


def missing():
    """What is not there; None when all is."""
    files = [DATA / "instructions" / ALPACA, DATA / "instructions" / GSM8K, LABELLED]
    return next((file for file in files if not file.exists()), None)


def cut(folder, alpaca, gsm8k, answered=1.0):
    """The first rows of both files, under their names; rows that fill a small student's context are passed over. `answered`:
    share of the Alpaca rows that keep their answer."""
    files = []
    for name, rows in ((ALPACA, alpaca), (GSM8K, gsm8k)):
        with gzip.open(DATA / "instructions" / name, "rt", encoding="utf-8") as lines:
            kept = [json.loads(line) for _, line in zip(range(rows), (line for line in lines if len(line) < 900))]
        for number, row in enumerate(kept):
            if "output" in row and number % 100 >= 100 * answered:
                row["output"] = ""
        files.append(folder / name)
        with gzip.open(files[-1], "wt", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in kept)
    return files


def student(folder, files):
    """As the recipe says how to make it."""
    tokenizer, fresh = folder / "tokenizer", folder / "student"
    tapir_run.tapir("tokenizer", "train", "--input", *files, "--vocab-size", 600, "--special-token", "<|user|>", "<|assistant|>",
                    "<|system|>", "--eos-token", "<|end|>", "--output", tokenizer, check=0)
    tapir_run.tapir("student", "new", "--config", "recipes/alpaca_offline/student.json", "--tokenizer", tokenizer,
                    "--output", fresh, check=0)
    return fresh


def settings(files, fresh):
    """The recipe's keys for so little data."""
    return [f"data.instructions=[{', '.join(map(str, files))}]", f"tasks.labelled={LABELLED}",
            f"student.model_name_or_path={fresh}", "student.generation.max_new_tokens=24", "data.held_out=30",
            "difficulty.held_out_rows=20", "curriculum.rows=90", "train.tokens=12000", "s0_train.tokens=20000",
            "train.batch_tokens=1024", "train.save_steps=3"]
