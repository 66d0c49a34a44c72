"""`tapir eval alpaca` as users run it: a served student answers, a judge with 30 % faults compares, both killed again and again:
complete, nothing twice, failures counted; the figures of a set of one's own; bad input."""

import collections
import http.server
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

import serving
import tapir_run

ROWS = 60
REFUSED = "Say the word that nobody may say."  # of the judge's filter
IN_FLIGHT = 16


class Judge:
    """Prefers the answer with more different letters, by log-probabilities; 30 % of the sends go wrong, drawn by number."""

    def __init__(self, faults=0.3, logprobs=True):
        self.faults, self.logprobs = faults, logprobs
        self.sends, self.answered, self.lock = 0, collections.Counter(), threading.Lock()
        judge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                judge.serve(self, self.rfile.read(int(self.headers["Content-Length"])))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def settings(self, *more):
        return [f"judge.{key}" for key in ("kind=openai", "model=stub", f"endpoints=[{{base_url: {self.url}/v1}}]",
                                           "retry_delay=0.01", "max_retries=40", f"max_concurrent_requests={IN_FLIGHT}", *more)]

    def serve(self, handler, body):
        request = json.loads(body)
        text = request["messages"][-1]["content"]
        with self.lock:
            self.sends += 1
            draw = random.Random(self.sends).random()
        if REFUSED in text:
            return self.send(handler, 400, {"error": {"message": "flagged", "code": "content_filter"}})
        if draw < self.faults / 3:
            return self.send(handler, 429, {"error": {"message": "slow down"}}, {"Retry-After": "0.02"})
        if draw < 2 * self.faults / 3:
            return self.send(handler, 500, {"error": {"message": "oops"}})
        if draw < self.faults:  # half an answer
            return self.send(handler, 200, '{"choices": [{"mess')
        with self.lock:
            self.answered[text] += 1
        self.send(handler, 200, self.choice(text))

    def choice(self, text):
        p = probability_of_first(*shown(text))
        letter = "m" if p >= 0.5 else "M"
        choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": letter}}
        if self.logprobs:
            top = [{"token": token, "logprob": math.log(q)} for token, q in (("m", p), ("M", 1 - p))]
            choice["logprobs"] = {"content": [{"token": letter, "logprob": 0, "top_logprobs": top}]}
        return {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}

    def send(self, handler, status, body, headers=None):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)


def shown(text):
    """The two answers in the order of the built-in template."""
    rest = text.split("# Answer of m\n\n", 1)[1]
    first, rest = rest.split("\n\n# Answer of M\n\n", 1)
    return first, rest.split("\n\n# Your choice", 1)[0]


def probability_of_first(first, second):
    return 1 / (1 + math.exp((len(set(second)) - len(set(first))) / 4))


def write_set(folder):
    items = folder / "items.jsonl"
    tapir_run.tapir("gym", "items", "--set", "pool", "--rows", 2 * ROWS, "--output", items, check=0)
    distinct = list(dict.fromkeys(row["messages"][0]["content"] for row in tapir_run.read_jsonl(items)))
    instructions = distinct[:ROWS] + [REFUSED]
    base = [{"dataset": "gym", "instruction": text, "output": f"The answer to number {i} is {i * i}.", "generator": "base"}
            for i, text in enumerate(instructions)]
    (folder / "set.json").write_text(json.dumps(base))
    return base


def read(file):
    return json.loads(file.read_text())


def killed(command, output, kills):
    """Killed and started again, then left alone; how often the kill came in the middle."""
    draw, count = random.Random(5), 0
    for _ in range(kills):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(draw.uniform(0.1, 0.4))
        count += process.poll() is None
        process.kill()
        process.wait()
    return count


def answering(folder):
    with serving.serve() as served:
        command = ("eval", "alpaca", "answer", "--instructions", folder / "set.json", "--output", folder / "outputs.json", "--json",
                   "--name", "student", "--set", "candidate.kind=openai", f"candidate.model={served.model}",
                   f"candidate.endpoints=[{{base_url: {served.url}/v1}}]", "candidate.max_tokens=24")
        kills = killed(tapir_run.command(*command), folder / "outputs.json", 3)
        done = tapir_run.tapir(*command, check=0)
    summary = json.loads(done.stdout)
    rows = read(folder / "outputs.json")
    assert [row["instruction"] for row in rows] == [row["instruction"] for row in read(folder / "set.json")]
    assert {row["generator"] for row in rows} == {"student"} and {row["dataset"] for row in rows} == {"gym"}
    assert summary["answered"] == summary["rows"] == len(rows) == ROWS + 1
    # The student's own folder says the same, with nobody between.
    tapir_run.tapir("eval", "alpaca", "answer", "--instructions", folder / "set.json", "--output", folder / "direct.json",
                    "--model", tapir_run.BASE, "--set", "candidate.max_tokens=24", check=0)
    assert [row["output"] for row in read(folder / "direct.json")] == [row["output"] for row in rows]
    return kills


def judging(folder):
    judge = Judge()
    command = ("eval", "alpaca", "judge", "--outputs", folder / "outputs.json", "--baseline", folder / "set.json", "--output",
               folder / "annotations.json", "--json", "--set", *judge.settings())
    kills = killed(tapir_run.command(*command), folder / "annotations.json", 5)
    done = tapir_run.tapir(*command, check=6)  # one row is refused for good
    summary = json.loads(done.stdout)
    rows = read(folder / "annotations.json")
    assert len(rows) == ROWS + 1 == len({row["instruction"] for row in rows})
    assert summary["failed"] == {"content_filter": 1} and summary["judged"] == ROWS, summary
    assert "built in" in summary["judge"] and summary["judge"] == rows[0]["annotator"]
    for row in rows:
        if row["instruction"] == REFUSED:
            assert row["preference"] is None
            continue
        expected = 2 - probability_of_first(row["output_1"], row["output_2"])
        assert abs(row["preference"] - expected) < 1e-9, row
    # Nothing is paid twice, but for what was in flight at a kill.
    assert sum(judge.answered.values()) <= ROWS + IN_FLIGHT * kills, (judge.answered, kills)
    assert len(judge.answered) == ROWS
    before = judge.sends
    tapir_run.tapir(*command, check=6)
    assert judge.sends == before, "asked again"
    return judge, kills


def scoring(folder):
    score = ("eval", "alpaca", "score", "--annotations", folder / "annotations.json", "--json")
    model = json.loads(tapir_run.tapir(*score, check=6).stdout)["models"][0]
    assert tapir_run.tapir(*score, "--allow-missing", check=0).stdout
    shares = [row["preference"] - 1 for row in read(folder / "annotations.json") if row["preference"] is not None]
    assert abs(model["win_rate"] - 100 * sum(shares) / len(shares)) < 1e-9
    assert model["n_total"] == ROWS and model["missing_preferences"] == 1
    assert model["lc"]["method"] == "minimal" and not model["comparable"]


def all_in_one(folder):
    """Without log-probabilities: letters, three times; answer, judge and score in one go."""
    judge = Judge(faults=0, logprobs=False)
    base = [row for row in read(folder / "set.json") if row["instruction"] != REFUSED]
    (folder / "some.json").write_text(json.dumps(base))
    command = ("eval", "alpaca", "all", "--model", tapir_run.BASE, "--baseline", folder / "some.json", "--output", folder / "all",
               "--repeats", 3, "--no-logprobs", "--json", "--set", "candidate.max_tokens=24", *judge.settings())
    done = json.loads(tapir_run.tapir(*command, check=0).stdout)
    model = done["models"][0]
    assert model["name"] == "gym-base" and model["n_total"] == ROWS and len(model["repeats"]["win_rates"]) == 3
    assert done["judge"]["by_letter"] == 3 * ROWS
    assert {row["preference"] for row in read(folder / "all" / "annotations.json")} <= {1, 2}
    assert all(0 < row["glm_preference"] < 1 for row in read(folder / "all" / "annotations.json"))
    assert (folder / "all" / "leaderboard.csv").read_text().startswith(",win_rate,standard_error")


def bad_input(folder):
    rows = read(folder / "outputs.json")
    judge = Judge(faults=0)
    command = ("eval", "alpaca", "judge", "--outputs", folder / "bad.json", "--baseline", folder / "set.json", "--output",
               folder / "bad-annotations.json", "--set", *judge.settings())
    for bad, flag in (([*rows[:4], *rows[5:]], "--allow-missing"), ([*rows, rows[3]], "--duplicates"),
                      ([*rows, {**rows[0], "instruction": "another one"}], "--drop-unknown")):
        (folder / "bad.json").write_text(json.dumps(bad))
        done = tapir_run.tapir(*command, check=3)
        assert flag in done.stderr and "1 " in done.stderr, done.stderr
    assert judge.sends == 0, "asked before it was decided"
    tapir_run.tapir("eval", "alpaca", "judge", "--outputs", folder / "outputs.json", "--output", folder / "o.json", check=2)
    tapir_run.tapir("eval", "alpaca", "score", "--annotations", folder / "missing.json", check=3)
    tapir_run.tapir("eval", "alpaca", "score", check=2)
    done = tapir_run.tapir("eval", "alpaca", "validate", "--data-dir", folder, check=3)
    assert "huggingface.co/datasets/tatsu-lab/alpaca_eval" in done.stdout


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_set(folder)
        answer_kills = answering(folder)
        judge, judge_kills = judging(folder)
        scoring(folder)
        all_in_one(folder)
        bad_input(folder)
        print(f"{answer_kills} and {judge_kills} kills; the judge: {judge.sends} sends, {sum(judge.answered.values())} answered, "
              f"{len(judge.answered)} pairs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
