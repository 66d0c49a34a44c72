#!/usr/bin/env python3
"""The novelty filter (ROUGE-L below 0.7 to everything kept) beside Google's rouge_score: decisions, seconds, memory.

    python3 benchmarks/novelty_bench.py [--build build] [--pairs 20000] [--skip-decisions]

On the 17,387 instructions of the Alpaca rows: (1) rouge_score's rate on random pairs, and from it the hours that comparing
all pairs would take; (2) every decision checked with rouge_score itself: each pair whose number of common tokens does not
rule out 0.7 is compared by rouge_score (the others cannot reach it: the longest common subsequence is no longer than the
tokens in common), the filter is replayed from those pairs, and its decisions must be ours, as must be the value of ROUGE-L
for every rejected row, to the last bit; (3) CPU seconds a row as the texts
grow: the first 2,000, all, and 200,000 made from them (two halves of real instructions and one word in eight replaced by one
of a vocabulary that grows with the texts); (4) MinHash on the same. Prints one JSON object.
"""
import argparse
import gzip
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

import peers

THRESHOLD = 0.7
ROWS = "instructions/alpaca_union_17k.jsonl.gz"
PACKAGES = ["rouge-score==0.1.2", "scipy==1.17.1", "numpy==2.4.6"]


def read_texts(data):
    with gzip.open(data / ROWS, "rt", encoding="utf-8") as file:
        return [json.loads(line)["instruction"] for line in file]


def grow(texts, count, seed=1):
    """Texts that are not copies: halves of two real ones, words replaced by new ones as a growing corpus brings them."""
    rng = random.Random(seed)
    words = [text.split() for text in texts]
    grown = []
    for i in range(count):
        a, b = rng.choice(words), rng.choice(words)
        made = a[: (len(a) + 1) // 2] + b[len(b) // 2:]
        new = int(5000 + i ** 0.7 * 10)
        grown.append(" ".join(f"n{rng.randrange(new)}" if rng.random() < 0.125 else word for word in made))
    return grown


class Ours:
    def __init__(self, build, scratch):
        self.program, self.scratch = peers.our_program(build, "novelty_speed"), pathlib.Path(scratch)

    def decide(self, texts, kind="rouge_l", threshold=THRESHOLD):
        """Figures, and for each text None (kept) or [the number of the text it is like, how much]."""
        inside, outside = self.scratch / "texts.json", self.scratch / "decisions"
        inside.write_text(json.dumps(texts))
        figures = peers.run_json(["taskset", "-c", "0", self.program, inside, threshold, kind, outside])
        lines = [line.split() for line in outside.read_text().splitlines()]
        return figures, [None if line == ["-1"] else [int(line[0]), float(line[1])] for line in lines]


def row_of(figures):
    micro = 1e6 * figures["tail_seconds"] / max(1, figures["tail_texts"])
    return {"texts": figures["texts"], "kept": figures["kept"], "seconds": round(figures["seconds"], 3),
            "microseconds_a_row_at_the_end": round(micro, 1),
            "index_megabytes": round(figures["index_bytes"] / 1e6, 1),
            "bytes_a_kept_row": round(figures["index_bytes"] / figures["kept"])}


# ---- in the peer's environment ----

def peer(arguments):
    import numpy
    from rouge_score import rouge_scorer, tokenizers
    from scipy import sparse

    texts, ours = json.loads(pathlib.Path(arguments.peer).read_text())
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    score = lambda i, j: scorer.score(texts[i], texts[j])["rougeL"].fmeasure
    rng = random.Random(5)
    pairs = [(rng.randrange(len(texts)), rng.randrange(len(texts))) for _ in range(arguments.pairs)]
    start = time.perf_counter()
    for i, j in pairs:
        score(i, j)
    result = {"pairs_a_second": arguments.pairs / (time.perf_counter() - start)}
    rejected = [(i, *like) for i, like in enumerate(ours) if like is not None]
    result["other_values"] = sum(score(j, i) != value for i, j, value in rejected)
    if not arguments.skip_decisions:
        tokenizer = tokenizers.DefaultTokenizer(use_stemmer=False)
        result["decisions"], result["compared"] = all_decisions(texts, tokenizer, score, numpy, sparse)
    print(json.dumps(result))


def all_decisions(texts, tokenizer, score, numpy, sparse):
    """The filter by rouge_score alone: [number of a kept text too like it, or None], and how many pairs it compared."""
    columns, places, rows = {}, [], []
    lengths = numpy.zeros(len(texts))
    for i, text in enumerate(texts):
        seen = {}
        tokens = tokenizer.tokenize(text)
        lengths[i] = len(tokens)
        for token in tokens:  # the k-th occurrence of a token is a column of its own
            seen[token] = seen.get(token, 0) + 1
            places.append(columns.setdefault((token, seen[token]), len(columns)))
            rows.append(i)
    matrix = sparse.csr_matrix((numpy.ones(len(rows), numpy.int32), (rows, places)))
    kept, decisions, compared = numpy.zeros(len(texts), bool), [], 0
    block = 256
    for first in range(0, len(texts), block):
        common = (matrix[first:first + block] @ matrix[:first + block].T).tocsr()
        for i in range(first, min(first + block, len(texts))):
            line = common.getrow(i - first)
            bound = 2 * line.data / (lengths[i] + lengths[line.indices])
            maybe = line.indices[(bound >= THRESHOLD - 1e-9) & (line.indices < i)]
            like = None
            for j in sorted(int(j) for j in maybe):
                if not kept[j]:
                    continue
                compared += 1
                if score(j, i) >= THRESHOLD:
                    like = j
                    break
            kept[i] = like is None
            decisions.append(like)
    return decisions, compared


# ---- both ----

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=peers.ROOT / "build", type=pathlib.Path)
    parser.add_argument("--pairs", default=20000, type=int)
    parser.add_argument("--skip-decisions", action="store_true")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return peer(arguments)
    data = pathlib.Path(os.environ.get("TAPIR_TEST_DATA", peers.ROOT.parent / "shared" / "data"))
    texts = read_texts(data)
    python = peers.peer_python(peers.ROOT / ".venv-peers", PACKAGES)
    with tempfile.TemporaryDirectory() as scratch:
        ours = Ours(arguments.build, scratch)
        figures, decisions = ours.decide(texts)
        result = {"rouge_l": [row_of(ours.decide(texts[:2000])[0]), row_of(figures)],
                  "minhash_0.8": [row_of(ours.decide(texts, "minhash", 0.8)[0])]}
        made = grow(texts, 200000)
        for count in (2000, 20000, 200000):
            result.setdefault("rouge_l_made_texts", []).append(row_of(ours.decide(made[:count])[0]))
        result["minhash_0.8"].append(row_of(ours.decide(made, "minhash", 0.8)[0]))
        (pathlib.Path(scratch) / "peer.json").write_text(json.dumps([texts, decisions]))
        command = [python, __file__, "--peer", pathlib.Path(scratch) / "peer.json", "--pairs", arguments.pairs]
        theirs = peers.run_json(command + (["--skip-decisions"] if arguments.skip_decisions else []))
    result["rouge_score"] = {"pairs_a_second": round(theirs["pairs_a_second"]),
                             "hours_for_all_pairs": round(len(texts) ** 2 / 2 / theirs["pairs_a_second"] / 3600, 2)}
    result["rouge_score"]["rejected_rows_with_another_value"] = theirs["other_values"]
    if "decisions" in theirs:
        differ = [i for i, (a, b) in enumerate(zip(decisions, theirs["decisions"])) if (a is None) != (b is None)]
        result["decisions"] = {"rows": len(texts), "rejected": sum(d is not None for d in decisions),
                               "pairs_compared_by_rouge_score": theirs["compared"], "different": len(differ)}
    print(json.dumps(result, indent=1))
    return 1 if theirs["other_values"] or result.get("decisions", {}).get("different") else 0


if __name__ == "__main__":
    sys.exit(main())
