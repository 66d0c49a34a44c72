#!/usr/bin/env python3
"""Training speed beside transformers: the same weights, batch, optimizer and threads, alternating runs.

    python3 benchmarks/train_bench.py [--build build] [--runs 5] [--steps 40]

Installs the peer into .venv-peers (git-ignored) on first use, builds the program train_speed in the build folder, and
prints the median tokens per second of both sides and the median of the ratios as one JSON object.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ["torch==2.11.0", "transformers==4.57.1", "numpy==2.4.6"]
CONFIG = dict(vocab_size=512, hidden_size=96, intermediate_size=256, num_hidden_layers=3, num_attention_heads=6,
              num_key_value_heads=6, head_dim=16, max_position_embeddings=512, tie_word_embeddings=True)


def peer_python(folder):
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    wanted = "import transformers, torch; assert transformers.__version__ == '4.57.1'"
    if subprocess.run([python, "-c", wanted], stderr=subprocess.DEVNULL).returncode != 0:
        print("installing the peer into", folder, file=sys.stderr)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS], check=True)
    return python


def peer_side(arguments):
    """Runs inside the peer's environment: prepare the inputs, or time transformers on them."""
    import time
    import numpy
    import torch
    import transformers

    folder = pathlib.Path(arguments.folder)
    torch.set_num_threads(arguments.threads)
    if arguments.peer == "prepare":
        torch.manual_seed(1)
        transformers.LlamaForCausalLM(transformers.LlamaConfig(**CONFIG)).save_pretrained(folder)
        tokens = numpy.random.default_rng(1).integers(0, CONFIG["vocab_size"], (arguments.rows, arguments.length))
        tokens.astype("int32").tofile(folder / "tokens.bin")
        return
    model = transformers.LlamaForCausalLM.from_pretrained(folder, torch_dtype=torch.float32)
    model.train()
    decayed = [p for n, p in model.named_parameters() if p.ndim > 1]
    norms = [p for n, p in model.named_parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": norms, "weight_decay": 0.0}],
                                  lr=1e-3, fused=True)
    tokens = numpy.fromfile(folder / "tokens.bin", dtype="int32").reshape(arguments.rows, arguments.length)
    batch = torch.from_numpy(tokens.astype("int64"))
    losses = []
    warm_up = 3
    for step in range(warm_up + arguments.steps):
        if step == warm_up:
            begin = time.perf_counter()
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    seconds = time.perf_counter() - begin
    print(json.dumps({"tok_s": batch.numel() * arguments.steps / seconds, "losses": losses}))


def run_json(command):
    out = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(ROOT / "build"), help="a configured build folder")
    parser.add_argument("--peers", default=str(ROOT / ".venv-peers"), help="environment of the peer")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", choices=["prepare", "train"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return peer_side(arguments)

    python = peer_python(pathlib.Path(arguments.peers))
    subprocess.run(["ninja", "-C", arguments.build, "train_speed"], check=True, stdout=subprocess.DEVNULL)
    program = next(pathlib.Path(arguments.build).rglob("train_speed"))
    shape = ["--rows", arguments.rows, "--length", arguments.length, "--steps", arguments.steps,
             "--threads", arguments.threads]
    with tempfile.TemporaryDirectory() as folder:
        peer = [python, __file__, *shape, "--folder", folder, "--peer"]
        subprocess.run([str(part) for part in [*peer, "prepare"]], check=True)
        ours_command = [program, folder, os.path.join(folder, "tokens.bin"), arguments.rows, arguments.length,
                        arguments.steps, arguments.threads]
        ours, theirs = [], []
        for run in range(arguments.runs):
            ours.append(run_json(ours_command))
            theirs.append(run_json([*peer, "train"]))
            print(f"run {run + 1}: tapir {ours[-1]['tok_s']:.0f}, transformers {theirs[-1]['tok_s']:.0f} tok/s",
                  file=sys.stderr)
    apart = max(abs(a - b) for a, b in zip(ours[0]["losses"][:10], theirs[0]["losses"][:10]))
    if apart > 1e-3:
        sys.exit(f"the two sides do not compute the same: losses differ by {apart}")
    print(json.dumps({
        "shape": {**CONFIG, "rows": arguments.rows, "length": arguments.length, "threads": arguments.threads},
        "tapir_tok_s": round(statistics.median(r["tok_s"] for r in ours)),
        "transformers_tok_s": round(statistics.median(r["tok_s"] for r in theirs)),
        "ratio": round(statistics.median(a["tok_s"] / b["tok_s"] for a, b in zip(ours, theirs)), 2),
        "losses_apart": apart,
    }))


if __name__ == "__main__":
    main()
