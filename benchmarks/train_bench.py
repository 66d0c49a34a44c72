#!/usr/bin/env python3
"""Training speed and memory beside transformers: the same weights, batch, optimizer and threads, alternating runs.

    python3 benchmarks/train_bench.py [--size 0.39M|5.9M|42M] [--bf16] [--runs 5] [--steps 0] [--logits 0]

Each step is forward, backward, clipping and AdamW on one batch: 16 x 128 tokens at 0.39 M parameters, 8 x 256 at 5.9 M,
4 x 512 at 42 M. --bf16: products in bf16 on both sides (autocast in transformers), weights and optimizer in fp32.
--logits N: only N rows of logits exist at a time on our side (0: chosen; all tokens of a lane: chunking off). Installs
the peer into .venv-peers (git-ignored) on first use, builds the program train_speed in the build folder, checks that
both sides have the same losses, and prints the medians of tokens per second and of the peak memory of the processes,
and the median of the ratios of speed, as one JSON object.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from peers import ROOT, our_program, peer_python, run_json
from sizes import SIZES, config

# rows, length, steps of a run
BATCHES = {"0.39M": (16, 128, 40), "5.9M": (8, 256, 6), "42M": (4, 512, 2)}


def prepare(folder, arguments):
    import numpy
    import torch
    import transformers

    torch.manual_seed(1)
    transformers.LlamaForCausalLM(transformers.LlamaConfig(**config(arguments.size))).save_pretrained(folder)
    vocabulary = SIZES[arguments.size]["vocab_size"]
    tokens = numpy.random.default_rng(1).integers(0, vocabulary, (arguments.rows, arguments.length))
    tokens.astype("int32").tofile(folder / "tokens.bin")


def time_peer(folder, arguments):
    import contextlib
    import resource
    import time
    import numpy
    import torch
    import transformers

    torch.set_num_threads(arguments.threads)
    model = transformers.LlamaForCausalLM.from_pretrained(folder, torch_dtype=torch.float32)
    model.train()
    decayed = [p for n, p in model.named_parameters() if p.ndim > 1]
    norms = [p for n, p in model.named_parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": norms, "weight_decay": 0.0}],
                                  lr=1e-3, fused=True)
    tokens = numpy.fromfile(folder / "tokens.bin", dtype="int32").reshape(arguments.rows, arguments.length)
    batch = torch.from_numpy(tokens.astype("int64"))
    losses = []
    warm_up = 1
    for step in range(warm_up + arguments.steps):
        if step == warm_up:
            begin = time.perf_counter()
        precision = torch.autocast("cpu", torch.bfloat16) if arguments.bf16 else contextlib.nullcontext()
        with precision:
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    seconds = time.perf_counter() - begin
    print(json.dumps({"tok_s": batch.numel() * arguments.steps / seconds, "losses": losses,
                      "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def report(arguments, ours, theirs, apart):
    median = statistics.median
    print(json.dumps({
        "size": arguments.size,
        "shape": {"rows": arguments.rows, "length": arguments.length, "threads": arguments.threads},
        "precision": "bf16" if arguments.bf16 else "fp32",
        "logits": arguments.logits,
        "tapir_tok_s": round(median(r["tok_s"] for r in ours)),
        "transformers_tok_s": round(median(r["tok_s"] for r in theirs)),
        "ratio": round(median(a["tok_s"] / b["tok_s"] for a, b in zip(ours, theirs)), 2),
        "tapir_peak_mb": round(median(r["peak_mb"] for r in ours)),
        "transformers_peak_mb": round(median(r["peak_mb"] for r in theirs)),
        "losses_apart": apart,
    }))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="0.39M")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--logits", type=int, default=0)
    parser.add_argument("--build", default=str(ROOT / "build"), help="a configured build folder")
    parser.add_argument("--peers", default=str(ROOT / ".venv-peers"), help="environment of the peer")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=0, help="0: as many as take some seconds")
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--length", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", choices=["prepare", "train"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for name, value in zip(("rows", "length", "steps"), BATCHES[arguments.size]):
        setattr(arguments, name, getattr(arguments, name) or value)
    if arguments.peer:
        work = {"prepare": prepare, "train": time_peer}
        return work[arguments.peer](arguments.folder, arguments)

    python = peer_python(arguments.peers)
    program = our_program(arguments.build, "train_speed")
    with tempfile.TemporaryDirectory() as folder:
        peer = [python, __file__, "--size", arguments.size, "--rows", arguments.rows, "--length", arguments.length,
                "--steps", arguments.steps, "--threads", arguments.threads, "--folder", folder,
                *(["--bf16"] if arguments.bf16 else []), "--peer"]
        subprocess.run([str(part) for part in [*peer, "prepare"]], check=True)
        ours_command = [program, folder, os.path.join(folder, "tokens.bin"), arguments.rows, arguments.length,
                        arguments.steps, arguments.threads, "bf16" if arguments.bf16 else "fp32", arguments.logits]
        ours, theirs = [], []
        for run in range(arguments.runs):
            ours.append(run_json(ours_command))
            theirs.append(run_json([*peer, "train"]))
            print(f"run {run + 1}: tapir {ours[-1]['tok_s']:.0f}, transformers {theirs[-1]['tok_s']:.0f} tok/s",
                  file=sys.stderr)
    apart = max(abs(a - b) for a, b in zip(ours[0]["losses"][:10], theirs[0]["losses"][:10]))
    if apart > (0.05 if arguments.bf16 else 1e-3):
        sys.exit(f"the two sides do not compute the same: losses differ by {apart}")
    report(arguments, ours, theirs, apart)


if __name__ == "__main__":
    main()
