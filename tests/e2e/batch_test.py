"""A judge that is asked by files of the Batch API: exit code 7 while it waits, and the same judgments in the end as in process.
The batch's machinery is played by `tapir gym serve`: every line of a file is posted, and its reply written as batches write it."""

import json
import pathlib
import sys
import tempfile

import serving
import tapir_run

WAITING = 7
INCOMPLETE = 6
DATA = 3


def rows(folder):
    """Items of the gym with an answer that is wrong for most."""
    tapir_run.tapir("gym", "items", "--rows", 120, "--output", folder / "items.jsonl", check=0)
    made = tapir_run.read_jsonl(folder / "items.jsonl")
    for row in made:
        row["student_response"] = "7"
    tapir_run.write_jsonl(folder / "rows.jsonl", made)


def answer(served, file):
    """One line of an output file for every request."""
    for request in tapir_run.read_jsonl(file):
        assert request["method"] == "POST" and request["url"] == "/v1/chat/completions", request
        status, body = served.post(request["url"], request["body"])
        yield json.dumps({"id": "batch_req", "custom_id": request["custom_id"],
                          "response": {"status_code": status, "request_id": "r", "body": body}, "error": None}) + "\n"


def judge(folder, output, *settings):
    return tapir_run.tapir("judge", "--input", folder / "rows.jsonl", "--output", folder / output, "--set", "seed=1",
                           "difficulty.pilot_rows=30", "difficulty.threshold=7.5", *settings)


def main():
    with tempfile.TemporaryDirectory() as folder, serving.gym("--seed", 1, "--position-bias", 1.5) as served:
        folder = pathlib.Path(folder)
        rows(folder)
        assert judge(folder, "inside.jsonl", "judge.gym.position_bias=1.5").returncode == 0
        store = folder / "batch.jsonl.tapir"
        by_batch = ("judge.kind=openai", "judge.model=gym-judge", "judge.mode=batch",
                    "judge.price_per_million={input: 2, output: 8, batch_discount: 0.5}")
        batches, booked = 0, 0
        while (done := judge(folder, "batch.jsonl", *by_batch)).returncode != 0:
            assert done.returncode == WAITING, done.stderr
            assert f"tapir batch export {store}" in done.stderr, done.stderr
            told = json.loads(tapir_run.tapir("batch", "export", store, "--json", check=0).stdout)
            batches += 1
            (requests,) = [pathlib.Path(file["file"]) for file in told["files"]]
            assert requests == store / "batch" / f"{batches:03}" / "judge-001.jsonl", requests
            lines = list(answer(served, requests))
            replies = folder / "replies.jsonl"
            if batches == 1:  # in parts, the first one cut
                replies.write_text("".join(lines[:10]) + lines[10][:40])
                words = tapir_run.tapir("batch", "import", store, replies, check=INCOMPLETE).stdout
                assert "11 lines: 10 answered, 1 unreadable" in words and "replies.jsonl:11: no whole JSON" in words, words
            replies.write_text("".join(lines))
            told = json.loads(tapir_run.tapir("batch", "import", store, replies, "--json", check=0).stdout)
            assert told["waiting"] == 0 and told["answered"] + told["known"] == len(lines), told
            booked += told["usd"]
        assert batches == 2, batches  # first orders with the pilot; second orders
        assert booked > 0
        assert (folder / "batch.jsonl").read_text() == (folder / "inside.jsonl").read_text()
        tapir_run.tapir("batch", "export", store, check=DATA)  # nothing waits any more
    return 0


if __name__ == "__main__":
    sys.exit(main())
