#!/usr/bin/env python3
"""Tokenizing speed beside the `tokenizers` package: Alpaca rows with Qwen2's vocabulary, alternating runs, 1 and 2 threads.

    python3 benchmarks/tokenize_bench.py [--build build] [--runs 3]

Installs the peer into .venv-peers (git-ignored) on first use, builds the program tokenize_speed in the build folder, checks
that both sides give the same ids, and prints the median megabytes per second of both and the median of the ratios as one
JSON object. `encode_batch` is what transformers calls; `encode_batch_fast` leaves out offsets.
"""
import argparse
import gzip
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile

from peers import TOKENIZERS, our_program, peer_python, run_json

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = "instructions/alpaca_union_17k.jsonl.gz"


def read_texts(data):
    with gzip.open(data / ROWS, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return ["\n".join(part for part in (row["instruction"], row["input"], row["output"]) if part) for row in rows]


def prepare(arguments):
    """Inside the peer's environment: the tokenizer's folder and the texts as our program reads them."""
    sys.path.insert(0, str(ROOT / "tests" / "goldens" / "tokenizers"))
    import families
    families.published(arguments.folder, arguments.family, arguments.data)
    texts = [text.encode() for text in read_texts(arguments.data)]
    (arguments.folder / "texts.bin").write_bytes(b"".join(struct.pack("<I", len(t)) + t for t in texts))


def peer_side(arguments):
    """Inside the peer's environment: time the package on the same texts."""
    import time
    import tokenizers
    tokenizer = tokenizers.Tokenizer.from_file(str(arguments.folder / "tokenizer.json"))
    texts = read_texts(arguments.data)
    encode = getattr(tokenizer, arguments.call)
    seconds = []
    for run in range(arguments.runs + 1):
        begin = time.perf_counter()
        encodings = encode(texts, add_special_tokens=False)
        if run > 0:
            seconds.append(time.perf_counter() - begin)
    print(json.dumps({"bytes": sum(len(text.encode()) for text in texts), "seconds": seconds,
                      "tokens": sum(len(encoding.ids) for encoding in encodings)}))


def compare(ours_command, peer_command, threads, arguments):
    """Alternating runs; the first run of each process fills its caches and does not count."""
    rounds = {"tapir": [], "encode_batch": [], "encode_batch_fast": []}
    tokens = set()
    for _ in range(arguments.runs):
        results = {"tapir": run_json([*ours_command, threads, 1])}
        for call in ("encode_batch", "encode_batch_fast"):
            results[call] = run_json([*peer_command, "--call", call, "--runs", 1], RAYON_NUM_THREADS=str(threads),
                                     TOKENIZERS_PARALLELISM="true" if threads > 1 else "false")
        for side, result in results.items():
            rounds[side].append(result["bytes"] / 1e6 / result["seconds"][0])
            tokens.add(result["tokens"])
    if len(tokens) != 1:
        sys.exit(f"the two sides do not give the same tokens: {tokens}")
    median = {f"{side}_mb_s": round(statistics.median(values), 1) for side, values in rounds.items()}
    ratios = {f"ratio_to_{call}": round(statistics.median(a / b for a, b in zip(rounds["tapir"], rounds[call])), 1)
              for call in ("encode_batch", "encode_batch_fast")}
    return {"threads": threads, **median, **ratios}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="a configured build folder")
    parser.add_argument("--peers", type=pathlib.Path, default=ROOT / ".venv-peers", help="environment of the peer")
    parser.add_argument("--data", type=pathlib.Path,
                        default=os.environ.get("TAPIR_TEST_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--family", default="qwen2")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--peer", choices=["prepare", "time"], help=argparse.SUPPRESS)
    parser.add_argument("--call", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return prepare(arguments) if arguments.peer == "prepare" else peer_side(arguments)

    python = peer_python(arguments.peers, TOKENIZERS)
    program = our_program(arguments.build, "tokenize_speed")
    with tempfile.TemporaryDirectory() as folder:
        peer = [python, __file__, "--folder", folder, "--data", arguments.data, "--family", arguments.family, "--peer"]
        subprocess.run([str(part) for part in [*peer, "prepare"]], check=True)
        ours = [program, folder, pathlib.Path(folder) / "texts.bin", "speed"]
        results = [compare(ours, [*peer, "time"], threads, arguments) for threads in arguments.threads]
    print(json.dumps({"work": f"{ROWS} with {arguments.family}", "results": results}, indent=1))


if __name__ == "__main__":
    main()
