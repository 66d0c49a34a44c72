"""`tapir eval compliance` and `judge.kind: rubric` as users run them: exit codes, files, a judge behind HTTP."""

import http.server
import json
import pathlib
import re
import tempfile
import threading

import tapir_run

IFEVAL = [{"key": 1, "prompt": "No commas.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
          {"key": 2, "prompt": "A title, in capitals.", "instruction_id_list": ["detectable_format:title", "change_case:english_capital"],
           "kwargs": [{"num_words": None}, {}]}]


def compliance(folder):
    """IFEval's rows: asked, answered, checked; 6 where an answer is missing."""
    rows, prompts, answers, found = (folder / name for name in ("rows", "prompts", "answers", "found"))
    tapir_run.write_jsonl(rows, IFEVAL)
    tapir_run.tapir("eval", "compliance", "--input", rows, "--prompts", prompts, check=0)
    assert [row["id"] for row in tapir_run.read_jsonl(prompts)] == ["1", "2"]
    assert tapir_run.read_jsonl(prompts)[0]["messages"] == [{"role": "user", "content": "No commas."}]
    tapir_run.write_jsonl(answers, [{"prompt": "No commas.", "response": "none"},
                                    {"prompt": "A title, in capitals.", "response": "Sure:\n<<RAIN>> RAIN FALLS ON THE HOUSES AND FIELDS."}])
    done = tapir_run.tapir("eval", "compliance", "--input", rows, "--answers", answers, "--output", found, "--json", check=0)
    figures = json.loads(done.stdout)
    assert figures["prompts"] == 2 and figures["instructions"] == 3 and figures["missing"] == [], figures
    assert figures["strict"]["prompt_accuracy"] == 0.5 and figures["loose"]["prompt_accuracy"] == 1.0, figures
    assert figures["strict"]["by_instruction_id"]["change_case:english_capital"]["kept"] == 0
    assert [row["follow_all_strict"] for row in tapir_run.read_jsonl(found)] == [True, False]

    tapir_run.write_jsonl(answers, [{"id": 1, "response": "none"}])
    done = tapir_run.tapir("eval", "compliance", "--input", rows, "--answers", answers, "--json", check=6)
    assert json.loads(done.stdout)["missing"] == ["2"]
    tapir_run.tapir("eval", "compliance", "--input", rows, "--answers", answers, "--allow-missing", check=0)
    tapir_run.write_jsonl(answers, [{"id": 7, "response": "none"}])
    tapir_run.tapir("eval", "compliance", "--input", rows, "--answers", answers, check=3)
    tapir_run.tapir("eval", "compliance", "--input", rows, check=2)
    tapir_run.tapir("eval", "compliance", "--input", rows, "--answers", answers, "--duplicates", "any", check=2)


class Auditor(http.server.BaseHTTPRequestHandler):
    """Says of every requirement whether the answer has an exclamation mark; its first reply is no verdict."""
    asked = 0

    def do_POST(self):
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
        Auditor.asked += 1
        fence = lambda name: re.search(f"<{name}>\n(.*?)\n</{name}>", text, re.S).group(1)
        verdict = "met" if "!" in fence("answer") else "not met"
        names = [line.split(":")[0] for line in fence("components").split("\n")]
        reply = "Hard to say." if Auditor.asked == 1 else "\n".join(f"{name}: {verdict}" for name in names)
        body = json.dumps({"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": reply}}],
                           "usage": {"prompt_tokens": 10, "completion_tokens": 5}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def judging(folder):
    """Requirements that code cannot check are confirmed by an endpoint, once for each answer; the same command asks nobody again."""
    rows, out = folder / "pairs", folder / "judged"
    tapir_run.write_jsonl(rows, [
        {"id": "a", "instruction": "Greet.", "components": [{"kind": "words", "at_most": 2}, {"kind": "judged", "text": "It is glad.", "weight": 2}],
         "response": "Hello!", "student_response": "hello"},
        {"id": "b", "instruction": "A title.", "components": [{"kind": "title"}], "response": "<<A>>", "student_response": "A"}])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Auditor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    judge = ["judge", "--input", rows, "--output", out, "--set", "judge.kind=rubric", "--set", "judge.rubric.role=auditor",
             "--set", "auditor.kind=openai", "--set", "auditor.model=m", "--set", f'auditor.endpoints=[{{base_url: "{address}"}}]', "--json"]
    for _ in range(2):
        summary = json.loads(tapir_run.tapir(*judge, check=0).stdout)
        assert summary["judged"] == 2 and Auditor.asked == 3, (summary, Auditor.asked)
        scores = [row["scores"] for row in tapir_run.read_jsonl(out)]
        assert scores == [{"teacher": 10, "student": 4, "gap": 6}, {"teacher": 10, "student": 1, "gap": 9}], scores
        assert {row["kind"]: row["gap"] for row in summary["components"]} == {"judged": 1, "title": 1, "words": 0}
    server.shutdown()


def main():
    for test in (compliance, judging):
        with tempfile.TemporaryDirectory() as name:
            test(pathlib.Path(name))
        print("ok:", test.__name__)


if __name__ == "__main__":
    main()
