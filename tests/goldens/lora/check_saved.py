#!/usr/bin/env python3
"""Checks with PEFT, transformers and TensorBoard what `tapir train --finetuning-type lora` and `tapir merge` leave.

    python3 -m venv .venv-peers
    .venv-peers/bin/pip install torch==2.11.0 transformers==4.57.1 peft==0.17.1 tensorboard==2.21.0 numpy==2.4.6
    .venv-peers/bin/python tests/goldens/lora/check_saved.py [build/tapir]

Trains an adapter over the gym's base student (assets/gym-base), then compares the log-probabilities of `tapir logprobs` with those of
PEFT over the base and of transformers over the merged folder, and reads the event files.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import peft
import torch
import transformers
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT = pathlib.Path(__file__).resolve().parents[3]
BASE = ROOT / "assets" / "gym-base"
TAPIR = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "tapir"
TOLERANCE = 1e-4
ROWS = [{"id": f"r{i}", "messages": [{"role": "user", "content": f"what is {i}+{i}"},
                                     {"role": "assistant", "content": f"it is {2 * i}"}]} for i in range(24)]


def tapir(*arguments):
    subprocess.run([TAPIR, *map(str, arguments)], check=True, capture_output=True)


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def largest_difference(model, folder, ours):
    """Of the log-probabilities of the answers' tokens, ours against the model's."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    largest = 0.0
    for row, found in zip(ROWS, ours):
        text = tokenizer.apply_chat_template(row["messages"], tokenize=False)
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        with torch.no_grad():
            logprobs = model(input_ids=ids).logits[0].float().log_softmax(-1)
        supervised = found["tokens"]
        at = next(i for i in range(1, ids.shape[1]) if ids[0, i:i + len(supervised)].tolist() == supervised)
        for offset, (token, logprob) in enumerate(zip(supervised, found["logprobs"])):
            largest = max(largest, abs(float(logprobs[at + offset - 1, token]) - logprob))
    return largest


def logprobs_of(folder, work):
    tapir("logprobs", "--model", folder, "--input", work / "rows.jsonl", "--output", work / "logprobs.jsonl")
    by_id = {row["id"]: row for row in map(json.loads, (work / "logprobs.jsonl").read_text().splitlines())}
    return [by_id[row["id"]] for row in ROWS]


def main():
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        write_jsonl(work / "rows.jsonl", ROWS)
        tapir("train", "--model", BASE, "--data", work / "rows.jsonl", "--output", work / "adapter",
              "--finetuning-type", "lora", "--lora-rank", 4, "--use-rslora", "--learning-rate", 0.01, "--max-steps", 12,
              "--total-batch-size", 8, "--val-size", 4, "--eval-steps", 5, "--logging-steps", 1, "--check-prompts", 0)
        tapir("merge", "--model", work / "adapter", "--output", work / "merged", "--check-prompts", 0)
        differences = {}
        base = transformers.AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
        with_adapter = peft.PeftModel.from_pretrained(base, work / "adapter").eval()
        differences["peft"] = largest_difference(with_adapter, BASE, logprobs_of(work / "adapter", work))
        merged = transformers.AutoModelForCausalLM.from_pretrained(work / "merged", dtype=torch.float32).eval()
        differences["merged"] = largest_difference(merged, work / "merged", logprobs_of(work / "merged", work))
        events = EventAccumulator(str(work / "adapter" / "runs")).Reload()
        shown = [round(event.value, 4) for event in events.Scalars("train/loss")]
        rows = [json.loads(line) for line in (work / "adapter" / "metrics.jsonl").read_text().splitlines()]
        assert shown == [round(row["loss"], 4) for row in rows] and len(shown) == 12, (shown, rows)
        assert [event.step for event in events.Scalars("eval/loss")] == [5, 10, 12]
        print(json.dumps({**differences, "tensorboard_steps": len(shown), "first_loss": shown[0], "last_loss": shown[-1]}))
        assert max(differences.values()) < TOLERANCE, differences


if __name__ == "__main__":
    main()
