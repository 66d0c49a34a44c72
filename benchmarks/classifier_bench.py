#!/usr/bin/env python3
"""The light task classifier beside scikit-learn's tf-idf logistic regression: 5-fold accuracy over scenarios and groups.

    python3 benchmarks/classifier_bench.py [--build build] [--folds 5]

On the labelled instructions of ../shared/data/tasks (58 scenarios and a rest). Folds are stratified by scenario and the same for
both sides. The peer is the better of two features (words and pairs of words; these and character 3- to 5-grams) and, for each,
the best of three regularisations by the very accuracy that is reported: a small advantage for the peer. Prints one JSON object:
accuracies, the difference with its standard error over rows, calibration error (ten bins), the commonest confusions, seconds.
"""
import argparse
import collections
import gzip
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import peers

ROWS = "tasks/auto-j_scenarios_train.jsonl.gz"
REGULARISATIONS = (100.0, 300.0, 1000.0)  # scikit-learn's C, from strong to weak
PACKAGES = ["scikit-learn==1.9.1", "scipy==1.17.1", "numpy==2.4.6"]
# The scenarios by what they have in common; "default" and what is not listed is general communication.
GROUPS = {
    "summarization": "text_summarization note_summarization post_summarization",
    "exam": "math_reasoning solving_exam_question_with_math solving_exam_question_without_math",
    "code": "code_generation code_correction_rewriting code_simplification code_to_code_translation explaining_code",
    "creative": "creative_writing writing_song_lyrics writing_social_media_post counterfactual writing_personal_essay "
                "writing_blog_post writing_advertisement writing_marketing_materials writing_presentation_script roleplay",
    "functional": "functional_writing writing_email writing_legal_document writing_job_application writing_news_article "
                  "writing_biography writing_technical_document writing_scientific_paper writing_cooking_recipe "
                  "writing_product_description peer_review",
    "rewriting": "instructional_rewriting language_polishing paraphrasing text_correction text_simplification",
    "nlp": "classification_identification information_extraction question_generation keywords_extraction title_generation "
           "topic_modeling reading_comprehension text_to_text_translation data_analysis ranking",
}
GROUP_OF = {scenario: group for group, names in GROUPS.items() for scenario in names.split()}


def group_of(scenario):
    return GROUP_OF.get(scenario, "general")


def data_folder():
    return pathlib.Path(os.environ.get("TAPIR_TEST_DATA", peers.ROOT.parent / "shared" / "data"))


def read_rows(data):
    with gzip.open(data / ROWS, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    texts = [row["instruction"] + ("\n\n" + row["input"] if row.get("input", "").strip() else "") for row in rows]
    return texts, [row["category"] for row in rows]


def folds_of(labels, folds, seed=1):
    """The fold of each row; every scenario is spread evenly."""
    rng, by_label, fold = random.Random(seed), collections.defaultdict(list), [0] * len(labels)
    for i, label in enumerate(labels):
        by_label[label].append(i)
    at = 0
    for label in sorted(by_label):
        rng.shuffle(by_label[label])
        for i in by_label[label]:
            fold[i] = at % folds
            at += 1
    return fold


def write_rows(path, indices, texts, labels=None):
    with open(path, "w", encoding="utf-8") as file:
        for i in indices:
            row = {"id": str(i), "instruction": texts[i]} | ({"task": labels[i]} if labels else {})
            file.write(json.dumps(row) + "\n")


def ours(tapir, texts, labels, fold, folds):
    """(prediction, confidence) of every row by a classifier that did not see its fold; seconds of a fold."""
    out, seconds = [None] * len(texts), []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for k in range(folds):
            write_rows(scratch / "train.jsonl", [i for i in range(len(texts)) if fold[i] != k], texts, labels)
            write_rows(scratch / "test.jsonl", [i for i in range(len(texts)) if fold[i] == k], texts)
            start = time.perf_counter()
            subprocess.run([tapir, "classify", "--labelled", scratch / "train.jsonl", "--held-out", "0",
                            "--input", scratch / "test.jsonl", "--output", scratch / "out.jsonl"],
                           check=True, stderr=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - start)
            for line in (scratch / "out.jsonl").read_bytes().splitlines():  # texts hold other line ends than \n
                row = json.loads(line)
                out[int(row["id"])] = (row["task"], row["confidence"])
    return out, seconds


# ---- in the peer's environment ----

def coordinates(inside, outside):
    """Both matrices in an orthonormal basis of the space of the training rows. A penalised linear model's weights lie in that
    space, so its optimum is the same as in the features themselves, with a few thousand columns in place of half a million."""
    import numpy

    squares, vectors = numpy.linalg.eigh((inside @ inside.T).toarray())
    kept = squares > 1e-10 * squares[-1]
    basis = vectors[:, kept] / numpy.sqrt(squares[kept])
    return [(rows @ inside.T).toarray() @ basis for rows in (inside, outside)]


def fold_of_peer(vectorizer, texts, labels, test):
    """By regularisation: prediction and confidence of every row of `test`, from the others; and seconds."""
    from sklearn.linear_model import LogisticRegression

    start = time.perf_counter()
    inside = vectorizer.fit_transform([text for i, text in enumerate(texts) if i not in test]).tocsr()
    inside, outside = coordinates(inside, vectorizer.transform([texts[i] for i in sorted(test)]).tocsr())
    truth = [label for i, label in enumerate(labels) if i not in test]
    featured = time.perf_counter() - start
    answers = {}
    for c in REGULARISATIONS:  # each from the start: a warm start meets the tolerance before it has got anywhere
        start = time.perf_counter()
        model = LogisticRegression(C=c, max_iter=1000).fit(inside, truth)
        chances = model.predict_proba(outside)
        out = [(str(model.classes_[row.argmax()]), float(row.max())) for row in chances]
        answers[c] = (dict(zip(sorted(test), out)), featured + time.perf_counter() - start)
    return answers


def peer(path):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    texts, labels, fold, folds = json.loads(pathlib.Path(path).read_text())
    words = lambda: TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    features = {"words": words,
                "words_and_characters": lambda: make_union(
                    words(), TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True))}
    results = []
    for name, make in features.items():
        parts = [fold_of_peer(make(), texts, labels, {i for i in range(len(texts)) if fold[i] == k}) for k in range(folds)]
        for c in REGULARISATIONS:
            out = dict(item for part in parts for item in part[c][0].items())
            accuracy = sum(out[i][0] == label for i, label in enumerate(labels)) / len(labels)
            print(f"scikit-learn, {name}, C={c}: {accuracy:.4f}", file=sys.stderr, flush=True)
            results.append({"features": name, "C": c, "accuracy": accuracy, "out": [out[i] for i in range(len(texts))],
                            "seconds": [part[c][1] for part in parts]})
    print(json.dumps(max(results, key=lambda result: result["accuracy"])))


# ---- both ----

def figures(out, labels, seconds):
    hits = [task == label for (task, _), label in zip(out, labels)]
    bins = collections.defaultdict(lambda: [0.0, 0])
    for (_, confidence), hit in zip(out, hits):
        one = bins[min(9, int(confidence * 10))]
        one[0] += confidence
        one[1] += hit
    return {"scenario_accuracy": round(sum(hits) / len(hits), 4),
            "group_accuracy": round(sum(group_of(t) == group_of(l) for (t, _), l in zip(out, labels)) / len(hits), 4),
            "calibration_error": round(sum(abs(a - b) for a, b in bins.values()) / len(hits), 4),
            "seconds_a_fold": round(sorted(seconds)[len(seconds) // 2], 2)}


def difference(a, b, truth):
    values = [(x == t) - (y == t) for x, y, t in zip(a, b, truth)]
    mean = sum(values) / len(values)
    return {"mean": round(mean, 4),
            "standard_error": round(math.sqrt(sum((v - mean) ** 2 for v in values)) / len(values), 4)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=peers.ROOT / "build", type=pathlib.Path)
    parser.add_argument("--folds", default=5, type=int)
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return peer(arguments.peer)
    texts, labels = read_rows(data_folder())
    fold = folds_of(labels, arguments.folds)
    mine, seconds = ours(arguments.build / "tapir", texts, labels, fold, arguments.folds)
    python = peers.peer_python(peers.ROOT / ".venv-peers", PACKAGES)
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "rows.json"
        path.write_text(json.dumps([texts, labels, fold, arguments.folds]))
        theirs = peers.run_json([python, __file__, "--peer", path])
    tasks, peer_tasks = [task for task, _ in mine], [task for task, _ in theirs["out"]]
    groups = [[group_of(task) for task in side] for side in (tasks, peer_tasks, labels)]
    confused = collections.Counter((label, task) for task, label in zip(tasks, labels) if task != label)
    result = {"rows": len(texts), "scenarios": len(set(labels)), "folds": arguments.folds,
              "tapir": figures(mine, labels, seconds),
              "scikit_learn": figures(theirs["out"], labels, theirs["seconds"])
              | {"features": theirs["features"], "C": theirs["C"]},
              "scenario_difference": difference(tasks, peer_tasks, labels),
              "group_difference": difference(*groups),
              "commonest_confusions": [f"{label} taken for {task}: {count}" for (label, task), count in confused.most_common(8)]}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    sys.exit(main())
