#!/usr/bin/env python3
"""Tasks of instructions by the hidden states of a student, on the rows and folds of classifier_bench.py.

    python3 benchmarks/hidden_states_bench.py STUDENT...

STUDENT: a folder in Hugging Face's layout. Its last layer's states, standardised, go into scikit-learn's multinomial logistic
regression: their mean over the text, and those of the last token. Of the regularisations the best counts, by the very accuracy
that is reported: an advantage for the student. Prints a JSON object per student; classifier_bench.py has the light classifier's
figures.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import time

import classifier_bench
import peers

LONGEST = 512  # tokens of a text, where the student takes so many
REGULARISATIONS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # scikit-learn's C, from strong to weak


def states(folder, texts):
    """By kind of pooling: [rows, hidden size]."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    longest = min(LONGEST, model.config.max_position_embeddings)
    pooled = {"mean": [], "last_token": []}
    with torch.no_grad():
        for text in texts:
            tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=longest).input_ids
            hidden = model(tokens, output_hidden_states=True).hidden_states[-1][0].float()
            pooled["mean"].append(hidden.mean(0).numpy())
            pooled["last_token"].append(hidden[-1].numpy())
    return pooled, sum(p.numel() for p in model.parameters())


def accuracies(rows, labels, fold, folds):
    """The best over the regularisations: scenarios, groups, C."""
    import numpy
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, labels, fold = numpy.stack(rows), numpy.array(labels), numpy.array(fold)
    best = {"scenario_accuracy": 0}
    for c in REGULARISATIONS:
        predicted = labels.copy()
        for k in range(folds):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
            predicted[fold == k] = model.fit(rows[fold != k], labels[fold != k]).predict(rows[fold == k])
        right = float((predicted == labels).mean())
        if right > best["scenario_accuracy"]:
            group = classifier_bench.group_of
            best = {"scenario_accuracy": round(right, 4), "C": c,
                    "group_accuracy": round(sum(group(a) == group(b) for a, b in zip(predicted, labels)) / len(labels), 4)}
    return best


def measure(folders, folds):
    texts, labels = classifier_bench.read_rows(classifier_bench.data_folder())
    fold = classifier_bench.folds_of(labels, folds)
    for folder in folders:
        start = time.perf_counter()
        pooled, parameters = states(folder, texts)
        print(json.dumps({"student": folder, "parameters": parameters,
                          "hidden_seconds": round(time.perf_counter() - start, 1)}
                         | {name: accuracies(rows, labels, fold, folds) for name, rows in pooled.items()}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("students", nargs="+")
    parser.add_argument("--folds", default=5, type=int)
    parser.add_argument("--in-peer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_peer:
        return measure(arguments.students, arguments.folds)
    python = peers.peer_python(peers.ROOT / ".venv-peers", peers.PEERS + classifier_bench.PACKAGES[:2])
    return subprocess.run([python, __file__, "--in-peer", "--folds", str(arguments.folds),
                                 *(str(pathlib.Path(one).resolve()) for one in arguments.students)]).returncode


if __name__ == "__main__":
    sys.exit(main())
