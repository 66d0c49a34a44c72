"""What llamafactory-cli train finds, and what it left. Written by tapir; ./launch.sh starts it.

  python job.py prepare   data.jsonl and steps.json as tokenized/, the rows of every step in order
  python job.py collect   progress.jsonl and result.json, from the trainer's own state

data/ has the same rows as messages, with a dataset_info.json: to train on them with a template of LLaMA-Factory's, take
tokenized_path out of train.yaml. tapir accepts the student only when its supervised tokens were trained on.
"""
import importlib.metadata
import json
import pathlib
import shutil
import sys

from datasets import Dataset, DatasetDict

HERE = pathlib.Path(__file__).resolve().parent
JOB = json.loads((HERE / "job.json").read_text())
STEPS = json.loads((HERE / "steps.json").read_text())
TOKENIZED, OUTPUT = HERE / "tokenized", HERE / "output"
IGNORED = -100


def read_rows():
    with open(HERE / "data.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def features(tokens, mask):
    labels = [token if loss else IGNORED for token, loss in zip(tokens, mask)]
    return {"input_ids": tokens, "attention_mask": [1] * len(tokens), "labels": labels}


def in_order(rows):
    """Every row of every step, each step filled up with rows without a loss: LLaMA-Factory takes steps of equal length."""
    per_step = JOB["processes"] * JOB["gradient_accumulation_steps"]
    for step in STEPS["rows"]:
        yield from (features(rows[row]["input_ids"], rows[row]["completion_mask"]) for row in step)
        for _ in range(per_step - len(step)):
            yield features(rows[step[0]]["input_ids"][:2], [0, 0])


def prepare():
    # LLaMA-Factory refuses a folder with files and without a checkpoint.
    if OUTPUT.exists() and not any(OUTPUT.glob("checkpoint-*")):
        shutil.rmtree(OUTPUT)
    if TOKENIZED.exists():
        return
    aside = HERE / "tokenized.writing"
    shutil.rmtree(aside, ignore_errors=True)
    DatasetDict({"train": Dataset.from_list(list(in_order(read_rows())))}).save_to_disk(str(aside))
    aside.rename(TOKENIZED)


def supervised(rows):
    return sum(label != IGNORED for row in rows for label in row["labels"])


def collect():
    state = json.loads((OUTPUT / "trainer_state.json").read_text())
    rows = read_rows()
    trained = DatasetDict.load_from_disk(str(TOKENIZED))["train"]
    logged = {entry["step"]: entry for entry in state["log_history"] if "loss" in entry}
    with open(HERE / "progress.jsonl", "w", encoding="utf-8") as file:
        for number, step in enumerate(STEPS["rows"], start=1):
            entry = logged[number]
            file.write(json.dumps({
                "step": number, "loss": entry["loss"], "learning_rate": entry["learning_rate"],
                "grad_norm": float(entry.get("grad_norm") or 0), "rows": len(step),
                "tokens": sum(len(rows[row]["input_ids"]) for row in step),
                "supervised_tokens": sum(sum(rows[row]["completion_mask"]) for row in step)}) + "\n")
    packages = ("llamafactory", "transformers", "accelerate", "torch") + (("peft",) if JOB["is_adapter"] else ())
    (HERE / "result.json").write_text(json.dumps({
        "digest": JOB["digest"], "steps": state["global_step"], "rows": sum(map(len, STEPS["rows"])),
        "tokens": sum(len(rows[row]["input_ids"]) for step in STEPS["rows"] for row in step),
        "supervised_tokens": supervised(trained),
        "versions": {name: importlib.metadata.version(name) for name in packages}}))


if __name__ == "__main__":
    {"prepare": prepare, "collect": collect}[sys.argv[1]]()
