#!/usr/bin/env python3
"""Lets transformers load what tapir saves, of every family: the same log-probabilities, keys and types.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install torch==2.11.0 transformers==4.57.1
    .venv-peers/bin/python tests/goldens/families/check_saved.py --tapir build/tapir

Per family: transformers writes a config.json, `tapir student new` makes a student of it (in shards), `tapir train` changes
every weight of it, and the trained folder is loaded by both. Then the same once more with weights stored in bf16. Any
version of transformers from 4.57 on will do: it says which one it ran with.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from make_goldens import CONFIGS, SHARED  # noqa: E402  (the same shapes, another vocabulary)

TOLERANCE = 1e-4
# Of tapir's own format "compact".
TEMPLATE = ("{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
            "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")
QUESTIONS = [f"what is {a}+{b}" + " please" * (a % 4) for a in range(6) for b in range(3)]


def tapir(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"tapir {' '.join(map(str, arguments))}\n{done.stderr}")
    return done.stdout


def write_tokenizer(folder):
    """A tokenizer of 360 tokens whose chat format tapir knows."""
    goldens = ROOT / "tests/goldens/tokenizers"
    folder.mkdir()
    (folder / "tokenizer.json").write_text((goldens / "trained/tokenizer.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"bos_token": "<s>", "eos_token": "<|end|>", "chat_template": TEMPLATE,
         "tokenizer_class": "PreTrainedTokenizerFast"}))


def make_student(program, work, family, config, torch_dtype):
    settings = getattr(transformers, family + "Config")(
        **{**SHARED, **config, "vocab_size": 368, "bos_token_id": 0, "eos_token_id": 5, "pad_token_id": None})
    settings.architectures = [family + "ForCausalLM"]
    settings.to_json_file(work / "config.json", use_diff=False)
    tapir(program, "student", "new", "--config", work / "config.json", "--tokenizer", work / "tokenizer",
          "--output", work / "fresh", "--max-shard-size", "20KB", "--torch-dtype", torch_dtype, "--seed", 3)
    assert len(list((work / "fresh").glob("model-*.safetensors"))) > 1
    transformers.AutoModelForCausalLM.from_pretrained(work / "fresh")
    tapir(program, "train", "--model", work / "fresh", "--data", work / "data.json", "--output", work / "trained",
          "--max-steps", 15, "--learning-rate", 0.02, "--total-batch-size", 6, "--check-prompts", 0)


def load(folder):
    model, found = transformers.AutoModelForCausalLM.from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager")
    problems = {key: list(found[key]) for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if found[key]}
    assert not problems, problems
    return model.float().eval()


def largest_difference(program, work):
    """Of the log-probabilities of answers, over some rows."""
    rows = [{"id": str(i), "prompt": question * (1 + i % 3), "completion": f" it is {i}"}
            for i, question in enumerate(QUESTIONS)]
    for name, lines in (("rows", rows),
                        ("prompts", [{"id": row["id"], "prompt": row["prompt"]} for row in rows])):
        (work / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    tapir(program, "logprobs", "--model", work / "trained", "--input", work / "rows.jsonl", "--output", work / "out.jsonl")
    tapir(program, "tokenize", "--model", work / "trained", "--input", work / "prompts.jsonl",
          "--output", work / "ids.jsonl")
    ids = {row["id"]: row["ids"] for row in map(json.loads, (work / "ids.jsonl").open())}
    model = load(work / "trained")
    worst = 0.0
    for row in map(json.loads, (work / "out.jsonl").open()):
        sequence = ids[row["id"]] + row["tokens"]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([sequence]), use_cache=False).logits[0]
        expected = torch.log_softmax(logits, -1)[len(ids[row["id"]]) - 1:-1].gather(
            1, torch.tensor(row["tokens"])[:, None])[:, 0]
        worst = max(worst, float((expected - torch.tensor(row["logprobs"])).abs().max()))
    return worst


def check(program, name, torch_dtype):
    family, config = CONFIGS[name]
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        write_tokenizer(work / "tokenizer")
        (work / "data.json").write_text(json.dumps(
            [{"instruction": question, "output": f"it is {i}"} for i, question in enumerate(QUESTIONS)]))
        make_student(program, work, family, config, torch_dtype)
        difference = largest_difference(program, work)
    print(f"{name:13} {torch_dtype:9} largest difference {difference:.1e}")
    return difference < TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tapir", default=str(ROOT / "build/tapir"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    good = [check(arguments.tapir, name, torch_dtype) for torch_dtype in ("float32", "bfloat16") for name in CONFIGS]
    sys.exit(0 if all(good) else f"{good.count(False)} differ by more than {TOLERANCE}")


if __name__ == "__main__":
    main()
