#!/usr/bin/env python3
"""Supervised fine-tuning beside TRL's SFTTrainer: the same student, rows, chat format and threads, alternating runs.

    python3 benchmarks/sft_bench.py [--rows 1500] [--size 5.9M] [--steps 0] [--bf16] [--runs 1]

The rows are the first of ../shared/data's 17 k Alpaca rows that have an answer; a byte-level BPE of the student's
vocabulary is trained on them. TRL runs twice: packed into rows of --length tokens, and padded. The rate counts tokens
that carry data, padding left out. --steps limits every side to so many optimizer steps of --batch rows (0: one pass over
all rows). Prints the medians and the medians of the ratios as one JSON object.
"""
import argparse
import gzip
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from peers import PEERS, ROOT, TRL, our_program, peer_python, run_json
from sizes import SIZES, config

DATA = pathlib.Path(os.environ.get("TAPIR_TEST_DATA", ROOT.parent / "shared" / "data"))
TEMPLATE = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' "
            "+ '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def read_rows(count):
    with gzip.open(DATA / "instructions" / "alpaca_union_17k.jsonl.gz", "rt", encoding="utf-8") as file:
        answered = (row for row in map(json.loads, file) if row["output"].strip())
        rows = list(itertools.islice(answered, count))
    return [(row["instruction"] + ("\n\n" + row["input"] if row.get("input") else ""), row["output"]) for row in rows]


def prepare(folder, arguments):
    import tokenizers
    import torch
    import transformers

    rows = read_rows(arguments.rows)
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    bpe.train_from_iterator((text for row in rows for text in row), tokenizers.trainers.BpeTrainer(
        vocab_size=SIZES[arguments.size]["vocab_size"], special_tokens=special, show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|im_end|>",
                                                     pad_token="<|endoftext|>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    ends = dict(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    shape = transformers.LlamaConfig(**{**config(arguments.size), **ends})
    transformers.LlamaForCausalLM(shape).save_pretrained(folder)
    with open(folder / "rows.jsonl", "w", encoding="utf-8") as file:
        for prompt, answer in rows:
            file.write(json.dumps({"messages": [{"role": "user", "content": prompt},
                                                {"role": "assistant", "content": answer}]}) + "\n")


def time_trl(folder, arguments, packing):
    import time
    import datasets
    import torch
    import transformers
    import trl

    torch.set_num_threads(arguments.threads)
    transformers.utils.logging.set_verbosity_error()
    rows = [json.loads(line)["messages"] for line in open(folder / "rows.jsonl", encoding="utf-8")]
    data = datasets.Dataset.from_list([{"prompt": row[:1], "completion": row[1:]} for row in rows])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.LlamaForCausalLM.from_pretrained(folder, torch_dtype=torch.float32)
    # As many tokens in a packed step as in a padded one, nearly: rows of Alpaca are a quarter of --length long.
    batch = max(1, arguments.batch // 4) if packing else arguments.batch
    options = trl.SFTConfig(
        output_dir=str(folder / "trl"), per_device_train_batch_size=batch, packing=packing,
        max_length=arguments.length, num_train_epochs=1, max_steps=arguments.steps or -1, learning_rate=1e-3,
        use_cpu=True, bf16=arguments.bf16, gradient_checkpointing=False, save_strategy="no", logging_steps=10,
        report_to="none", disable_tqdm=True, dataloader_num_workers=0)

    class Clock(transformers.TrainerCallback):
        seconds, tokens = 0.0, 0

        def on_step_begin(self, *_, **__):
            self.begin = time.perf_counter()

        def on_step_end(self, *_, **__):
            self.seconds += time.perf_counter() - self.begin

    clock = Clock()
    trainer = trl.SFTTrainer(model=model, args=options, train_dataset=data, processing_class=tokenizer,
                             callbacks=[clock])
    collate = trainer.data_collator

    def count(examples):
        clock.tokens += sum(len(example["input_ids"]) for example in examples)
        return collate(examples)

    trainer.data_collator = count
    trainer.train()
    print(json.dumps({"tok_s": clock.tokens / clock.seconds, "tokens": clock.tokens, "seconds": clock.seconds}))


def time_ours(tapir, folder, arguments):
    with tempfile.TemporaryDirectory() as output:
        command = [tapir, "train", "--model", folder, "--data", folder / "rows.jsonl", "--output",
                   pathlib.Path(output) / "student", "--learning-rate", "1e-3", "--num-train-epochs", "1",
                   "--total-batch-size", arguments.batch, "--cutoff-len", arguments.length, "--lanes",
                   arguments.threads, "--check-prompts", 0, "--json"]
        if arguments.steps:
            command += ["--max-steps", arguments.steps]
        if arguments.bf16:
            command += ["--bf16"]
        out = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True).stdout
    result = json.loads(out)
    return {"tok_s": result["tokens"] / result["seconds"], "tokens": result["tokens"], "seconds": result["seconds"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["5.9M", "42M"], default="5.9M")
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--bf16", action="store_true", help="bf16 compute, fp32 weights, on both sides")
    parser.add_argument("--build", default=str(ROOT / "build"), help="a configured build folder")
    parser.add_argument("--peers", default=str(ROOT / ".venv-peers"), help="environment of the peers")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", choices=["prepare", "packed", "padded"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer == "prepare":
        return prepare(arguments.folder, arguments)
    if arguments.peer:
        return time_trl(arguments.folder, arguments, packing=arguments.peer == "packed")

    python = peer_python(arguments.peers, PEERS + TRL)
    tapir = our_program(arguments.build, "tapir")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        peer = [python, __file__, "--size", arguments.size, "--rows", arguments.rows, "--batch", arguments.batch,
                "--length", arguments.length, "--steps", arguments.steps, "--threads", arguments.threads, "--folder",
                folder, *(["--bf16"] if arguments.bf16 else []), "--peer"]
        subprocess.run([str(part) for part in [*peer, "prepare"]], check=True, stdout=subprocess.DEVNULL)
        runs = []
        for number in range(arguments.runs):
            runs.append({"tapir": time_ours(tapir, folder, arguments),
                         "packed": run_json([*peer, "packed"]), "padded": run_json([*peer, "padded"])})
            rates = ", ".join(f"{side} {result['tok_s']:.0f}" for side, result in runs[-1].items())
            print(f"run {number + 1}: {rates} tok/s", file=sys.stderr)
    report = {"size": arguments.size, "rows": arguments.rows, "steps": arguments.steps, "bf16": arguments.bf16,
              "threads": arguments.threads}
    for side in runs[0]:
        report[side] = {"tok_s": round(statistics.median(run[side]["tok_s"] for run in runs)),
                        "tokens": runs[0][side]["tokens"]}
        if side != "tapir":
            report[side]["ratio"] = round(
                statistics.median(run["tapir"]["tok_s"] / run[side]["tok_s"] for run in runs), 2)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
