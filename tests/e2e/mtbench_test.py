"""`tapir eval mtbench` as users run it: recorded judgments; answering and judging behind `tapir gym serve` with 30 % faults,
killed again and again, ends with the files of an undisturbed run; a served student; bad input."""

import gzip
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import serving
import tapir_run

DATA = pathlib.Path(os.environ.get("TAPIR_TEST_DATA", tapir_run.ROOT.parent / "shared" / "data"))
FAULTS = ("--seed", 1, "--fault-rate", 0.3, "--retry-after", 0.02, "--slow-by", 0.05)
CATEGORIES = ("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities")
IN_FLIGHT = 64  # max_concurrent_requests of a role


def write_questions(folder, count):
    """Questions of two turns from the gym, some with references."""
    items = folder / "items.jsonl"
    tapir_run.tapir("gym", "items", "--set", "pool", "--rows", 2 * count, "--output", items, check=0)
    items = tapir_run.read_jsonl(items)
    rows = []
    for number in range(count):
        pair = items[2 * number:2 * number + 2]
        rows.append({"question_id": 1000 + number, "category": CATEGORIES[number % 8],
                     "turns": [item["messages"][0]["content"] for item in pair],
                     "reference": [item["response"] for item in pair]})
    tapir_run.write_jsonl(folder / "question.jsonl", rows)


def asked(served, role, model):
    endpoint = f"[{{base_url: {served.url}/v1}}]"
    return [f"{role}.{setting}" for setting in ("kind=openai", f"model={model}", f"endpoints={endpoint}", "retry_delay=0.01",
                                                "max_retries=30")]


def without_time(file):
    return [{key: value for key, value in row.items() if key != "tstamp"} for row in tapir_run.read_jsonl(file)]


def run_all(data_dir, *settings, check, model_id="m"):
    return tapir_run.tapir("eval", "mtbench", "all", "--data-dir", data_dir, "--references", "questions", "--model-id", model_id,
                           "--max-attempts", 10, "--json", "--set", "seed=1", *settings, check=check)


def files_of(data_dir):
    return {name: without_time(data_dir / name) for name in ("model_answer/m.jsonl", "model_judgment/gym-judge_single.jsonl")}


def killed(folder):
    whole, parts = folder / "whole", folder / "parts"
    for data_dir in (whole, parts):
        data_dir.mkdir()
        write_questions(data_dir, 160)
    run_all(whole, check=0)
    with serving.gym(*FAULTS) as served:
        settings = asked(served, "candidate", "gym-teacher") + asked(served, "judge", "gym-judge")
        draw, kills = random.Random(7), 0
        command = tapir_run.command("eval", "mtbench", "all", "--data-dir", parts, "--references", "questions", "--model-id", "m",
                                    "--max-attempts", 10, "--set", "seed=1", *settings)
        for _ in range(6):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(draw.uniform(0.1, 0.5))
            kills += process.poll() is None
            process.kill()
            process.wait()
        done = run_all(parts, *settings, check=0)
        counts, faults = served.counts(), served.faults()
        sends, distinct = int(counts["tapir_sends_total"]), int(counts["tapir_distinct_requests"])
        again = sum(faults[kind] for kind in ("throttle", "error", "cut", "half"))
        assert sends <= distinct + again + 2 * IN_FLIGHT * kills, (sends, distinct, again, kills)
        # Everything is there: nobody is asked again, and no row stands twice.
        run_all(parts, *settings, check=0)
        assert int(served.counts()["tapir_sends_total"]) == sends
    expected, found = files_of(whole), files_of(parts)
    assert found == expected, "the files differ"
    judgments = found["model_judgment/gym-judge_single.jsonl"]
    assert len({(row["question_id"], row["turn"]) for row in judgments}) == len(judgments) == 320
    model = json.loads(done.stdout)["score"]["models"][0]
    assert model["average"] == 10 and model["judgments"] == 320 and model["failed"] == 0 == model["missing"], model
    print(f"{kills} kills, {distinct} distinct requests, {sends} sends, faults {faults}")


def failures_are_counted(folder):
    """A judge that is asked once, and garbles: its failures stand beside the mean."""
    write_questions(folder, 40)
    with serving.gym("--seed", 1, "--fault", "garble=0.3") as served:
        settings = asked(served, "judge", "gym-judge")
        done = tapir_run.tapir("eval", "mtbench", "all", "--data-dir", folder, "--references", "none", "--json", "--set", *settings,
                               check=6)
    model = json.loads(done.stdout)["score"]["models"][0]
    rows = tapir_run.read_jsonl(folder / "model_judgment" / "gym-judge_single.jsonl")
    failed = sum(row["score"] == -1 for row in rows)
    assert model["failed"] == failed > 5 and model["judgments"] == 80 and model["average"] == 10, model


def student(folder):
    """A tiny student, by its folder and behind `tapir serve`, gives the same greedy answers."""
    write_questions(folder, 16)
    common = ("eval", "mtbench", "answer", "--data-dir", folder, "--temperature", 0, "--max-new-tokens", 48)
    tapir_run.tapir(*common, "--model", tapir_run.BASE, "--model-id", "folder", check=0)
    with serving.serve() as served:
        tapir_run.tapir(*common, "--model-id", "served", "--set", *asked(served, "candidate", served.model), check=0)
    turns = [[row["choices"] for row in tapir_run.read_jsonl(folder / "model_answer" / f"{name}.jsonl")]
             for name in ("folder", "served")]
    assert turns[0] == turns[1] and len(turns[0]) == 16
    done = tapir_run.tapir("eval", "mtbench", "judge", "--data-dir", folder, "--references", "none", "--models", "folder", "--json",
                           check=0)
    assert json.loads(done.stdout)["judgments"] == 32


def recorded(folder):
    data = DATA / "mt_bench"
    if not data.exists():
        print("skipped: no test data at", DATA)
        return
    expected = {row["model"]: row for row in json.loads((data / "expected.json").read_text())}
    files = sorted((data / "judgments").glob("*.jsonl.gz"))
    done = tapir_run.tapir("eval", "mtbench", "score", "--judgments", *files, "--duplicates", "average", "--json", check=6)
    models = json.loads(done.stdout)["models"]
    assert len(models) == len(expected)
    for model in models:
        want = expected[model["model"]]
        assert (model["judgments"], model["failed"]) == (want["judgments"], want["unrated(-1)"])
        for key in ("turn1", "turn2", "average"):
            assert abs(model[key] - want[key]) < 1e-4, (model, want)
        for category, mean in want["by_category"].items():
            assert abs(model["by_category"][category] - mean) < 1e-4
    # Rows of one model twice: named, and an error unless a flag decides.
    done = tapir_run.tapir("eval", "mtbench", "score", files[0], check=3)
    assert "--duplicates" in done.stderr and "mistral-orpo" in done.stderr
    # All of one model failed but for one row; no category that nobody judged is invented.
    rows = [json.loads(line) for line in gzip.open(files[2], "rt")]
    for row in rows[1:]:
        row["judgment"], row["score"] = "$ERROR$", -1
    tapir_run.write_jsonl(folder / "failed.jsonl", rows)
    done = tapir_run.tapir("eval", "mtbench", "score", folder / "failed.jsonl", "--json", check=6)
    model = json.loads(done.stdout)["models"][0]
    assert model["average"] == rows[0]["score"] and model["failed"] == 159 and model["turn2"] is None


def bad_input(folder):
    tapir_run.tapir("eval", check=2)
    tapir_run.tapir("eval", "mtbench", "score", check=2)
    tapir_run.tapir("eval", "mtbench", "score", folder / "missing.jsonl", check=3)
    tapir_run.tapir("eval", "mtbench", "answer", "--data-dir", folder / "nowhere", check=3)
    row = {"question_id": 500, "model": "m", "judge": ["j", "single-v1"], "judgment": "[[5]]", "score": 5, "turn": 1}
    tapir_run.write_jsonl(folder / "other.jsonl", [row])
    done = tapir_run.tapir("eval", "mtbench", "score", folder / "other.jsonl", check=3)
    assert "500" in done.stderr
    # A question file with other ids than the judgments'.
    tapir_run.write_jsonl(folder / "q.jsonl", [{"question_id": 7, "category": "own", "turns": ["a", "b"]}])
    done = tapir_run.tapir("eval", "mtbench", "score", folder / "other.jsonl", "--questions", folder / "q.jsonl", check=3)
    assert "500" in done.stderr and "q.jsonl" in done.stderr
    for encoded in ("not JSON", '{"question_id": 81}', '{"score": NaN}'):
        (folder / "odd.jsonl").write_text(encoded + "\n")
        done = tapir_run.tapir("eval", "mtbench", "score", folder / "odd.jsonl", check=3)
        assert "odd.jsonl:1" in done.stderr, done.stderr


def main():
    for cases in (recorded, bad_input, failures_are_counted, student, killed):
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            cases(pathlib.Path(folder))
            print(f"ok  {cases.__name__}  {time.monotonic() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
