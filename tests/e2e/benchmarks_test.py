"""Benchmarks as stages of a run: AlpacaEval 2.0 and MT-Bench by a judge with 30 % faults, killed and gone on with: complete, the
figures those of `tapir eval` on the files it leaves, nothing asked twice, what failed in the ledger; and what is refused."""

import json
import pathlib
import random
import subprocess
import tempfile
import time

import alpaca_test
import tapir_run

SET = "alpaca_eval_gpt4_baseline.json"
QUESTIONS = 8
SECOND = "Say it a second time"
UNRATED = "Say 1003."  # the first turn that the judge has no rating for


class Judge(alpaca_test.Judge):
    """Rates an answer of MT-Bench by its letters."""

    def choice(self, text):
        if "# Answer of m\n\n" in text:
            return super().choice(text)
        rating = "no words" if UNRATED in text and SECOND not in text else f"[[{len(set(text)) % 10 + 1}]]"
        return {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"Rating: {rating}"}}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 3}}


def write_questions(folder):
    folder.mkdir()
    tapir_run.write_jsonl(folder / "question.jsonl", [
        {"question_id": 1000 + i, "category": ("writing", "math")[i % 2], "turns": [f"Say {1000 + i}.", f"{SECOND}, {i}."],
         "reference": ["a", "b"]} for i in range(QUESTIONS)])


def write_alpaca(folder):
    folder.mkdir()
    base = alpaca_test.write_set(folder)
    (folder / "set.json").rename(folder / SET)
    return base


def settings(folder, judge):
    role = [text.replace("judge.", "auditor.", 1) for text in judge.settings()]
    return ["arms={}", "curriculum.rounds=1", "data.gym.rows=100", "curriculum.rows=60", "train.tokens=6000", "s0_train.tokens=6000",
            "evaluate.exam={uniform: 32, pool: 8, beyond: 0}", "difficulty.held_out_rows=0", "evaluate.judge=auditor", *role,
            f"evaluate.alpaca_eval={{data_dir: {folder}/alpaca, max_new_tokens: 24}}",
            f"evaluate.mt_bench={{data_dir: {folder}/mt, references: questions, max_new_tokens: 24}}"]


def killed(command, kills):
    draw, count = random.Random(3), 0
    for _ in range(kills):
        process = subprocess.Popen(command, cwd=tapir_run.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(draw.uniform(0.1, 0.5))
        count += process.poll() is None
        process.kill()
        process.wait()
    return count


def check_alpaca(folder, run, status):
    base = json.loads((folder / "alpaca" / SET).read_text())
    for who in ("s0", "final"):
        files = run / "evaluation" / "alpaca_eval" / who
        outputs = json.loads((files / "model_outputs.json").read_text())
        assert [row["instruction"] for row in outputs] == [row["instruction"] for row in base]
        scored = json.loads(tapir_run.tapir("eval", "alpaca", "score", "--annotations", files / "annotations.json", "--data-dir",
                                            folder / "alpaca", "--allow-missing", "--json", check=0).stdout)["models"][0]
        scored["lc"].pop("seconds")
        (found,) = [row for row in status["benchmarks"] if row["stage"] == f"alpaca_eval/{who}"]
        assert found["figures"] == scored, (found, scored)
        stage = {stage["name"]: stage for stage in status["stages"]}[f"alpaca_eval/{who}"]
        assert stage["in"] == len(base) and stage["failed"] == {"content_filter": 1}, stage  # the one that is flagged
        assert scored["n_total"] == len(base) - 1


def check_mt_bench(folder, run, status):
    judgments = run / "evaluation" / "mt_bench" / "model_judgment" / "stub_single.jsonl"
    rows = tapir_run.read_jsonl(judgments)
    assert len({(row["model"], row["question_id"], row["turn"]) for row in rows}) == len(rows) == 2 * 2 * QUESTIONS
    scored = json.loads(tapir_run.tapir("eval", "mtbench", "score", "--judgments", judgments, "--questions",
                                        folder / "mt" / "question.jsonl", "--json", check=6).stdout)
    for model in scored["models"]:
        (found,) = [row for row in status["benchmarks"] if row["stage"] == f"mt_bench/{model['model']}"]
        assert found["figures"]["average"] == model["average"] and found["figures"]["failed"] == model["failed"] == 1
        stage = {stage["name"]: stage for stage in status["stages"]}[f"mt_bench/{model['model']}"]
        assert stage["in"] == 2 * QUESTIONS and sum(stage["failed"].values()) == 1, stage


def refused(folder, judge):
    def error(*changes):
        return tapir_run.tapir("validate", "recipes/e2e.yaml", *settings(folder, judge), *changes, check=2).stderr
    assert "evaluate.judge: auditor" in error("evaluate.judge=judge")
    assert "its students: s0, final" in error("evaluate.students=[s0, plain]")
    assert "twice" in error("evaluate.students=[s0, s0]")
    assert "data_dir" in error("evaluate.mt_bench={}")
    (folder / "empty").mkdir()
    lacking = tapir_run.tapir("run", "recipes/e2e.yaml", "--run-dir", folder / "no", *settings(folder, judge),
                              f"evaluate.alpaca_eval.data_dir={folder}/empty", check=2)
    assert "lacks the set" in lacking.stderr, lacking.stderr


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_alpaca(folder / "alpaca")
        write_questions(folder / "mt")
        judge, run = Judge(), folder / "run"
        command = ("run", "recipes/e2e.yaml", "--run-dir", run, *settings(folder, judge))
        tapir_run.tapir(*command, "--until", "exam/tapir/round-1", check=0)
        kills = killed(tapir_run.command(*command), 6)
        done = tapir_run.tapir(*command, check=6)  # rows failed for good
        status = json.loads(tapir_run.tapir("status", run, "--json", check=0).stdout)
        assert status["finished"] and len(status["benchmarks"]) == 4, status["benchmarks"]
        check_alpaca(folder, run, status)
        check_mt_bench(folder, run, status)
        again = max(judge.answered.values())
        assert again <= 1 + kills, "only what was on its way at a kill is asked twice"
        sends = judge.sends
        tapir_run.tapir(*command, check=6)
        assert judge.sends == sends, "a finished run asks nobody"
        assert "MT-Bench" in tapir_run.tapir("status", run, check=0).stdout
        page = (run / "report.html").read_text()
        assert 'id="benchmarks"' in page and "AlpacaEval 2.0" in page
        # The failed rows alone are asked about again, and fail again.
        before = judge.answered.total()
        tapir_run.tapir("retry", run, check=6)
        assert judge.answered.total() - before == 2 * 3, "the judgment without a rating, three attempts, of both students"
        refused(folder, judge)
    print(f"ok: {kills} kills, {sends} sends")
    assert done.returncode == 6


if __name__ == "__main__":
    main()
