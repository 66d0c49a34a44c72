#!/usr/bin/env python3
"""Training and decoding on a GPU beside transformers: the same random weights, rows and optimizer, alternating runs.

    python3 benchmarks/gpu_bench.py --shape 1.5B
    python3 benchmarks/gpu_bench.py --shape 7B --checkpointing --moments-bf16
    python3 benchmarks/gpu_bench.py --shape tiny --device torch-cpu --fp32       # no GPU: tries the script itself

Training: full fine-tuning, products in bfloat16 (--fp32: not), fp32 weights, fused AdamW, rows of uneven lengths packed
without padding into passes of --micro-batch-tokens, several passes a step. transformers gets the same passes, under
autocast, with flash attention (scaled-dot-product attention where flash_attn is not installed: the answer says which).
--moments-bf16 is ours alone. Decoding: greedy, all rows side by side, with a cache, without the time of the prompts.
--work train or decode does one of them.

Checks that both sides have the same losses, and prints medians, ratios and peak memory as one JSON object; mfu is the
share of the device's best matrix product. A side that runs out of memory says so instead. Random weights have
near-ties, so not all decoded tokens are equal on both sides: tokens_equal says how many are.

Builds the program gpu_speed in the build folder, which must use a torch with CUDA (docs/gpu.md). The peer runs in
--peers (made on first use; `pip install flash-attn` goes into it) or in $TAPIR_PEER_PYTHON.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from peers import ROOT, our_program, peer_python, run_json

# Qwen2.5-1.5B and Llama-2-7B in their extents; tiny tries the script.
SHAPES = {
    "tiny": ("Qwen2", dict(vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                           num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048,
                           tie_word_embeddings=True)),
    "1.5B": ("Qwen2", dict(vocab_size=151936, hidden_size=1536, intermediate_size=8960, num_hidden_layers=28,
                           num_attention_heads=12, num_key_value_heads=2, max_position_embeddings=32768,
                           tie_word_embeddings=True)),
    "7B": ("Llama", dict(vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32,
                         num_attention_heads=32, num_key_value_heads=32, max_position_embeddings=4096,
                         tie_word_embeddings=False)),
}


def model_class(shape):
    import transformers

    family, values = SHAPES[shape]
    return getattr(transformers, family + "ForCausalLM"), getattr(transformers, family + "Config")(**values)


def torch_device(name):
    return "cpu" if name == "torch-cpu" else name


def write_rows(path, rows):
    import numpy

    numbers = [len(rows), *(len(row) for row in rows), *(int(token) for row in rows for token in row)]
    numpy.array(numbers, dtype="int32").tofile(path)


def read_rows(path):
    import numpy

    numbers = numpy.fromfile(path, dtype="int32").tolist()
    rows, at = [], 1 + numbers[0]
    for length in numbers[1:1 + numbers[0]]:
        rows.append(numbers[at:at + length])
        at += length
    return rows


def prepare(arguments):
    """Random weights in bfloat16, rows to train on of a quarter to all of --length, prompts of --length."""
    import numpy
    import torch

    torch.manual_seed(1)
    cls, config = model_class(arguments.shape)
    torch.set_default_dtype(torch.float32 if arguments.fp32 else torch.bfloat16)
    with torch.device(torch_device(arguments.device)):
        cls(config).save_pretrained(arguments.folder)
    random = numpy.random.default_rng(1)
    lengths = random.integers(arguments.length // 4, arguments.length, arguments.rows, endpoint=True)
    write_rows(arguments.folder / "rows.bin", [random.integers(0, config.vocab_size, n) for n in lengths])
    prompts = random.integers(0, config.vocab_size, (arguments.prompts, arguments.length))
    write_rows(arguments.folder / "prompts.bin", prompts)
    return {}


def attention_of(device):
    if device.startswith("cuda"):
        try:
            import flash_attn  # noqa: F401
            return "flash_attention_2"
        except ImportError:
            pass
    return "sdpa"


def load(arguments, dtype):
    cls, _ = model_class(arguments.shape)
    attention = attention_of(arguments.device)
    model = cls.from_pretrained(arguments.folder, dtype=dtype, attn_implementation=attention)
    return model.to(torch_device(arguments.device)), attention


def peak_memory_gb(device):
    import resource
    import torch

    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def passes_of(rows, limit):
    """Rows in order, at most `limit` tokens a pass: as the trainer cuts a step."""
    passes = [[]]
    for row in rows:
        if passes[-1] and sum(map(len, passes[-1])) + len(row) > limit:
            passes.append([])
        passes[-1].append(row)
    return passes


def packed(rows, device):
    """One sequence without padding: positions tell the rows apart, and no row's first token is learnt."""
    import torch

    tokens = torch.tensor([token for row in rows for token in row], device=device)[None]
    positions = torch.cat([torch.arange(len(row), device=device) for row in rows])[None]
    labels = torch.where(positions == 0, -100, tokens)
    return {"input_ids": tokens, "position_ids": positions, "labels": labels, "use_cache": False}


def train(arguments):
    import contextlib
    import time
    import torch

    if arguments.device == "torch-cpu":
        torch.set_num_threads(1)
    device = torch_device(arguments.device)
    model, attention = load(arguments, torch.float32)
    model.train()
    if arguments.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
                                  lr=1e-4, fused=True)
    rows = read_rows(arguments.folder / "rows.bin")
    learnt = sum(len(row) - 1 for row in rows)
    passes = [packed(part, device) for part in passes_of(rows, arguments.micro_batch_tokens)]
    losses = []
    for step in range(1 + arguments.steps):
        total = torch.zeros((), device=device)
        for batch in passes:
            precision = contextlib.nullcontext() if arguments.fp32 else torch.autocast(device.split(":")[0],
                                                                                       torch.bfloat16)
            with precision:
                loss = model(**batch, num_items_in_batch=learnt).loss
            loss.backward()
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        losses.append(total.item())
        if step == 0:
            begin = time.perf_counter()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    seconds = time.perf_counter() - begin
    return {"tok_s": sum(map(len, rows)) * arguments.steps / seconds, "memory_gb": peak_memory_gb(arguments.device),
            "attention": attention, "losses": losses}


def decode(arguments):
    import time
    import torch

    if arguments.device == "torch-cpu":
        torch.set_num_threads(1)
    model, attention = load(arguments, torch.float32 if arguments.fp32 else torch.bfloat16)
    rows = torch.tensor(read_rows(arguments.folder / "prompts.bin"), device=torch_device(arguments.device))
    new = arguments.new_tokens

    def answers(count):
        options = dict(do_sample=False, min_new_tokens=count, max_new_tokens=count, pad_token_id=0)
        with torch.no_grad():
            return model.generate(rows, attention_mask=torch.ones_like(rows), **options)[:, rows.shape[1]:].tolist()

    answers(4)
    begin = time.perf_counter()
    answers(1)
    prefill = time.perf_counter() - begin
    begin = time.perf_counter()
    found = answers(new)
    seconds = time.perf_counter() - begin - prefill
    return {"tok_s": len(found) * (new - 1) / seconds, "memory_gb": peak_memory_gb(arguments.device),
            "attention": attention, "tokens": found}


def run_side(command):
    """What a side prints; {"failed": its last line} when it fails, out of memory for instance."""
    try:
        return run_json(command)
    except subprocess.CalledProcessError as error:
        return {"failed": f"exit status {error.returncode}: see standard error"}


def beside(arguments, ours_command, peer_command):
    ours, theirs = [], []
    for run in range(arguments.runs):
        ours.append(run_side(ours_command))
        theirs.append(run_side(peer_command))
        speeds = [f"{side[-1]['tok_s']:.0f}" if "tok_s" in side[-1] else "failed" for side in (ours, theirs)]
        print(f"run {run + 1}: tapir {speeds[0]}, transformers {speeds[1]} tok/s", file=sys.stderr)
    return ours, theirs


def summary(ours, theirs):
    answer = {}
    for name, side in (("tapir", ours), ("transformers", theirs)):
        for key, digits in (("tok_s", 0), ("tflops", 1), ("mfu", 3), ("memory_gb", 2)):
            values = [r[key] for r in side if key in r]
            if values:
                answer[f"{name}_{key}"] = round(statistics.median(values), digits)
        failed = [r["failed"] for r in side if "failed" in r]
        if failed:
            answer[f"{name}_failed"] = failed[0]
    ratios = [a["tok_s"] / b["tok_s"] for a, b in zip(ours, theirs) if "tok_s" in a and "tok_s" in b]
    if ratios:
        answer["ratio"] = round(statistics.median(ratios), 2)
        answer["attention"] = theirs[0].get("attention")
    return answer


def compare_training(arguments, program, peer, folder):
    options = [word for word, wanted in (("bf16", not arguments.fp32), ("checkpointing", arguments.checkpointing),
                                         ("moments_bf16", arguments.moments_bf16)) if wanted]
    ours, theirs = beside(arguments, [program, "train", arguments.device, folder, folder / "rows.bin", arguments.steps,
                                      arguments.micro_batch_tokens, ",".join(options) or "-"], [*peer, "train"])
    answer = summary(ours, theirs)
    for name, side in (("tapir", ours), ("transformers", theirs)):
        if "losses" in side[0]:
            answer[f"{name}_losses"] = [round(loss, 4) for loss in side[0]["losses"]]
    if "losses" in ours[0] and "losses" in theirs[0]:
        answer["losses_apart"] = max(abs(a - b) / b for a, b in zip(ours[0]["losses"], theirs[0]["losses"]))
        if answer["losses_apart"] > (1e-3 if arguments.fp32 else 2e-2):
            sys.exit(f"the two sides do not compute the same: {json.dumps(answer)}")
    return answer


def compare_decoding(arguments, program, peer, folder):
    ours, theirs = beside(arguments, [program, "decode", arguments.device, folder, folder / "prompts.bin",
                                      arguments.new_tokens], [*peer, "decode"])
    answer = summary(ours, theirs)
    if "tokens" in ours[0] and "tokens" in theirs[0]:
        same = [sum(a == b for a, b in zip(x, y)) / len(y) for x, y in zip(ours[0]["tokens"], theirs[0]["tokens"])]
        answer["tokens_equal"] = round(statistics.mean(same), 3)
    return answer


def read_arguments(values):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="1.5B")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--work", choices=["train", "decode", "both"], default="both")
    parser.add_argument("--build", default=str(ROOT / "build"), help="a configured build folder")
    parser.add_argument("--peers", default=str(ROOT / ".venv-peers"), help="environment of the peer")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--fp32", action="store_true")
    parser.add_argument("--rows", type=int, default=32, help="of a training step")
    parser.add_argument("--length", type=int, default=1024, help="of the longest row, and of every prompt")
    parser.add_argument("--steps", type=int, default=8, help="that are timed")
    parser.add_argument("--micro-batch-tokens", type=int, default=8192)
    parser.add_argument("--checkpointing", action="store_true", help="gradient checkpointing, on both sides")
    parser.add_argument("--moments-bf16", action="store_true", help="AdamW's moments in bfloat16, on our side")
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--peer", choices=["prepare", "train", "decode"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args(values)


def main():
    arguments = read_arguments(sys.argv[1:])
    if arguments.peer:
        result = {"prepare": prepare, "train": train, "decode": decode}[arguments.peer](arguments)
        return print(json.dumps(result))
    python = peer_python(arguments.peers)
    program = our_program(arguments.build, "gpu_speed")
    answer = {"shape": arguments.shape, "device": arguments.device, "precision": "fp32" if arguments.fp32 else "bf16"}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        peer = [python, __file__, *sys.argv[1:], "--folder", folder, "--peer"]
        run_json([*peer, "prepare"])
        for work, compare in (("train", compare_training), ("decode", compare_decoding)):
            if arguments.work in (work, "both"):
                answer[work] = compare(arguments, program, peer, folder)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
