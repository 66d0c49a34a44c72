"""What adaptive orders save, and what they cost in decisions, on recorded judgments of both orders.

Pairs of answers that GPT-4 judged in both orders (Vicuna-80 and Koala-180 of the test data): the judge's words go through
`tapir judge read`, the scores through `tapir judge orders`. Either answer is taken as the teacher's once, and the figures
are means of the two and over --draws draws of pilot and first orders. With a pilot of --pilot-rows pairs, which are judged
in both orders anyway; in hindsight without one, the band set by all pairs: the least that the rule could ask.
The last line is JSON.
"""
import argparse
import gzip
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("TAPIR_TEST_DATA", ROOT.parent / "shared" / "data"))
FILES = {"vicuna": "cherry_vicuna_wrap_reviews_gpt4.json", "koala": "cherry_koala_wrap_reviews_gpt4.json.gz"}


def recorded(name):
    path = DATA / "judge_outputs" / FILES[name]
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else open(path, encoding="utf-8")
    with opened as file:
        return json.load(file)["data"]


def tapir(program, *arguments, allowed=(0,)):
    done = subprocess.run([str(part) for part in (program, *arguments)], capture_output=True, text=True)
    if done.returncode not in allowed:
        raise SystemExit(f"tapir {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def read_scores(program, rows, folder):
    """[(scores of answers 1 and 2 in the first order, in the second order)], None where one cannot be read."""
    source = folder / "reviews.jsonl"
    with open(source, "w", encoding="utf-8") as file:
        for number, row in enumerate(rows):
            for order in ("review", "review_reverse"):
                file.write(json.dumps({"id": f"{number}/{order}", "text": row[order]}) + "\n")
    read = [json.loads(line) for line in tapir(program, "judge", "read", "--form", "pair", source,
                                               allowed=(0, 6)).splitlines()]
    pairs = []
    for first, second in zip(read[::2], read[1::2]):
        whole = first["status"] == "ok" and second["status"] == "ok"
        # In the reversed review answer 2 was shown first.
        pairs.append((first["scores"], second["scores"][::-1]) if whole else None)
    return pairs


def write_pairs(path, pairs, teacher):
    """Rows of `tapir judge orders`, answer `teacher` (0 or 1) as the teacher's. The first order showed answer 0 first."""
    with open(path, "w", encoding="utf-8") as file:
        for number, orders in enumerate(pairs):
            first, second = ([scores[teacher], scores[1 - teacher]] for scores in (orders if teacher == 0 else orders[::-1]))
            file.write(json.dumps({"id": number, "teacher_first": first, "student_first": second}) + "\n")


def mean_rows(tables):
    """The tables of both assignments, figure by figure."""
    return [{key: sum(row[key] for row in rows) / len(rows) for key in rows[0]} for rows in zip(*tables)]


def show(name, table):
    print(f"{name:<10} {'threshold':>9} {'hard':>6} {'pilot':>6} {'band':>6} {'second':>7} {'saved':>7} {'saved %':>8} "
          f"{'flips %':>8} {'single order %':>15}")
    for row in table:
        print(f"{'':<10} {row['threshold']:>9.1f} {row['hard']:>6.1f} {row['pilot']:>6.0f} {row['band']:>6.2f} "
              f"{row['second_calls']:>7.1f} {row['saved_calls']:>7.1f} {100 * row['saved_share']:>8.1f} "
              f"{100 * row['flip_rate']:>8.2f} {100 * row['single_flip_rate']:>15.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tapir", type=pathlib.Path, default=ROOT / "build" / "tapir")
    parser.add_argument("--pilot-rows", type=int, default=100)
    parser.add_argument("--max-flip-rate", type=float, default=0.01)
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        all_pairs = [pair for name in FILES for pair in read_scores(options.tapir, recorded(name), folder)]
        pairs = [pair for pair in all_pairs if pair is not None]
        result = {"pairs": len(pairs), "outside_the_scale": len(all_pairs) - len(pairs)}
        for name, extra in (("pilot", ("--pilot-rows", options.pilot_rows)), ("hindsight", ("--hindsight",))):
            tables = []
            for teacher in (0, 1):
                write_pairs(folder / "pairs.jsonl", pairs, teacher)
                out = tapir(options.tapir, "judge", "orders", folder / "pairs.jsonl", "--threshold", 1, 2, 3, *extra,
                            "--max-flip-rate", options.max_flip_rate, "--draws", options.draws, "--json")
                tables.append(json.loads(out)["thresholds"])
            result[name] = mean_rows(tables)
            show(name, result[name])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
