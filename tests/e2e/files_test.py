"""The student's commands on files, and the data that a run gives out: rows as docs state them, the same bits each time."""

import json
import math
import pathlib
import signal
import subprocess
import sys
import tempfile

import tapir_run

BASE = tapir_run.BASE


read, write = tapir_run.read_jsonl, tapir_run.write_jsonl


def items(folder, rows):
    file = folder / "items.jsonl"
    tapir_run.tapir("gym", "items", "--set", "uniform", "--part", "dev", "--rows", rows, "--style", "terse", "--output", file,
                    check=0)
    return file


def generating(folder):
    source = items(folder, 160)
    out, again = folder / "out.jsonl", folder / "again.jsonl"
    model = ("--model", BASE, "--input", source)
    tapir_run.tapir("generate", *model, "--output", out, "--max-new-tokens", 64, check=0)
    tapir_run.tapir("generate", *model, "--output", again, "--max-new-tokens", 64, "--slots", 3, check=0)
    assert out.read_bytes() == again.read_bytes(), "the number of slots changed a row"
    rows = read(out)
    assert [r["id"] for r in rows] == [r["id"] for r in read(source)]
    assert all(r["finish_reason"] in ("stop", "length") and r["usage"]["completion_tokens"] > 0 for r in rows)
    sampled, other = folder / "s1.jsonl", folder / "s2.jsonl"
    options = ("--temperature", 1, "--top-p", 0.9, "--top-k", 20, "--max-new-tokens", 32)
    tapir_run.tapir("generate", *model, "--output", sampled, *options, "--seed", 1, check=0)
    tapir_run.tapir("generate", *model, "--output", other, *options, "--seed", 2, check=0)
    assert sampled.read_text() != other.read_text(), "the seed changes nothing"

    # The judge on the same rows agrees with the teacher's own answers.
    verdicts = folder / "verdicts.jsonl"
    tapir_run.tapir("gym", "judge", "--input", source, "--output", verdicts, check=0)
    assert all(v["correct"] and v["score"] == 10 for v in read(verdicts))
    write(folder / "unknown.jsonl", [{"id": "x", "prompt": "no item", "response": "7"}])
    tapir_run.tapir("gym", "judge", "--input", folder / "unknown.jsonl", "--output", verdicts, check=6)

    # A prompt that leaves no room is counted, and the command says so by its exit code.
    write(folder / "long.jsonl", [{"id": 1, "prompt": "fix: " + "x " * 2000}, {"id": 2, "prompt": "add:1+6"}])
    tapir_run.tapir("generate", "--model", BASE, "--input", folder / "long.jsonl", "--output", out, check=6)
    long_row, short_row = read(out)
    assert long_row["error"] == "too_long" and "response" in short_row


def scoring(folder):
    source = items(folder, 32)
    rows = read(source)
    for row in rows:
        row["messages"].append({"role": "assistant", "content": row.pop("response")})
    rows.append({"id": "raw", "prompt": "add:1+6", "completion": " #7"})
    write(folder / "answers.jsonl", rows)
    out = folder / "logprobs.jsonl"
    tapir_run.tapir("logprobs", "--model", BASE, "--input", folder / "answers.jsonl", "--output", out, check=0)
    for row in read(out):
        assert len(row["tokens"]) == len(row["logprobs"]) > 0
        assert all(p <= 0 for p in row["logprobs"])
        assert math.isclose(row["loss"], -sum(row["logprobs"]) / len(row["logprobs"]), rel_tol=1e-5)
    tapir_run.tapir("logprobs", "--model", BASE, "--input", source, "--output", out, check=3)  # no answer to score

    write(folder / "texts.jsonl", [{"id": "t", "prompt": "add:1+6"},
                                   {"id": "c", "messages": [{"role": "user", "content": "add:1+6"}]}])
    tapir_run.tapir("tokenize", "--model", BASE, "--input", folder / "texts.jsonl", "--output", out, check=0)
    text, chat = read(out)
    inside = ",".join(map(str, chat["ids"]))
    assert ",".join(map(str, text["ids"])) in inside and len(chat["ids"]) > len(text["ids"])


def training(folder):
    rows = [{"instruction": row["messages"][0]["content"], "output": row["response"]} for row in read(items(folder, 320))]
    (folder / "alpaca.json").write_text(json.dumps(rows))

    def train(output):
        return ("train", "--model", BASE, "--data", folder / "alpaca.json", "--output", output, "--learning-rate", 1e-3,
                "--batch-tokens", 512, "--num-train-epochs", 20, "--save-steps", 5, "--json")

    whole = json.loads(tapir_run.tapir(*train(folder / "whole"), check=0).stdout)
    assert whole["last_loss"] < whole["first_loss"]
    process = subprocess.Popen(tapir_run.command(*train(folder / "parts")), cwd=tapir_run.ROOT, stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, text=True)
    for line in process.stderr:
        if "loss" in line:
            break
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    assert process.wait() in (0, 130)
    tapir_run.tapir(*train(folder / "parts"), check=0)
    name = "model.safetensors"
    assert (folder / "whole" / name).read_bytes() == (folder / "parts" / name).read_bytes(), "resume changed the weights"
    steps = [row["step"] for row in read(folder / "parts" / "metrics.jsonl")]
    assert steps == sorted(set(steps)), "metrics have a step twice"


def previewing(folder):
    turns = [{"role": role, "content": content} for role, content in
             [("user", "add:1+2"), ("assistant", "3"), ("user", "add:2+2"), ("assistant", "4")]]
    write(folder / "turns.jsonl", [{"messages": turns}] * 3)
    train = ("train", "--model", BASE, "--data", folder / "turns.jsonl")
    shown = tapir_run.tapir(*train, "--preview", "--rows", 1, check=0).stdout
    assert "\x1b" not in shown and "chat format: compact" in shown
    learnt = [line.split(None, 2)[2] for line in shown.splitlines() if line.startswith("* ") and line.count('"') == 2]
    assert "".join(map(json.loads, learnt)).replace(" ", "") == "3<|end|>4<|end|>", learnt
    last = tapir_run.tapir(*train, "--preview", "--rows", 1, "--mask-history", check=0).stdout
    assert last.count("<|end|>") == shown.count("<|end|>") and last.count("\n* ") < shown.count("\n* ")
    assert list(folder.iterdir()) == [folder / "turns.jsonl"], "a preview writes nothing"

    # A named format becomes the trained folder's own; errors of a row say where it stands.
    tapir_run.tapir(*train, "--template", "plain", "--output", folder / "plain", "--max-steps", 1, "--check-prompts", 0, check=0)
    assert (folder / "plain" / "chat_template.jinja").exists()
    again = ("train", "--model", folder / "plain", "--data", folder / "turns.jsonl", "--preview")
    assert "chat format: plain" in tapir_run.tapir(*again, check=0).stdout
    for model, name, file in ((BASE, "compact", "tokenizer_config.json"), (folder / "plain", "plain", "chat_template.jinja")):
        found = json.loads(tapir_run.tapir("doctor", "--model", model, "--json", check=0).stdout)
        said = {check["what"]: check["found"] for check in found}["chat format"]
        assert said.startswith(name) and str(model / file) in said, said
    write(folder / "open.jsonl", [{"messages": turns}, {"messages": turns[:3]}])
    failed = tapir_run.tapir("train", "--model", BASE, "--data", folder / "open.jsonl", "--preview", check=3).stderr
    assert "open.jsonl:2" in failed, failed
    write(folder / "order.jsonl", [{"messages": turns[:1] + [{"role": "system", "content": "late"}] + turns[2:]}])
    failed = tapir_run.tapir("train", "--model", BASE, "--data", folder / "order.jsonl", "--preview", check=3).stderr
    assert "order.jsonl:1" in failed and "must come first" in failed, failed

    # A student that talks on is an error, once its folder is written.
    endless = (*train, "--output", folder / "endless", "--max-steps", 1, "--check-max-new-tokens", 1)
    failed = tapir_run.tapir(*endless, check=3).stderr
    assert "is written" in failed and "did not stop by themselves" in failed and "--check-prompts 0" in failed, failed
    assert (folder / "endless" / "model.safetensors").exists()
    tapir_run.tapir(*endless, "--check-prompts", 0, check=0)

    # Tokenized data is found again, and weights do not depend on it.
    cache = folder / "cache"
    cached = (*train, "--token-cache", cache, "--max-steps", 1, "--output")
    tapir_run.tapir(*cached, folder / "first", check=0)
    files = list(cache.iterdir())
    made = files[0].stat().st_mtime_ns
    tapir_run.tapir(*cached, folder / "second", check=0)
    assert len(files) == 1 and files[0].stat().st_mtime_ns == made, "tokenized again"
    files[0].write_bytes(files[0].read_bytes()[:-7])
    tapir_run.tapir(*cached, folder / "third", check=0)
    weights = {(folder / name / "model.safetensors").read_bytes() for name in ("first", "second", "third")}
    assert len(weights) == 1


def adapters(folder):
    """A run of adapters is gone on with; one of its students is looked at, and merged before it is exported."""
    run = ("run", "recipes/e2e.yaml", "--run-dir", folder / "run", "train.finetuning_type=lora", "--until")
    tapir_run.tapir(*run, "s0/train", check=0)
    tapir_run.tapir(*run, "s0/answers", check=0)
    student = folder / "run" / "students" / "s0"
    assert (student / "adapter_config.json").exists() and not (student / "config.json").exists()
    shown = tapir_run.tapir("doctor", "--model", student, check=0).stdout
    assert "compact, by the template in " + str(student) in shown, shown
    failed = tapir_run.tapir("export", "gguf", "--model", student, "--output", folder / "s0.gguf", check=3).stderr
    assert f"tapir merge --model {student} --output DIR" in failed, failed


def planning(_):
    """Before a run: which chat format, and what training would take."""
    found = json.loads(tapir_run.tapir("validate", "recipes/e2e.yaml", "student.template=plain", "--json", check=0).stdout)
    assert {check["what"]: check["found"] for check in found}["training"].startswith("chat format plain")
    tapir_run.tapir("validate", "recipes/e2e.yaml", "student.template=plian", check=2)

    def estimate(*settings):
        return json.loads(tapir_run.tapir("estimate", "recipes/e2e.yaml", *settings, "--json", check=0).stdout)

    usual, lora = estimate(), estimate("train.finetuning_type=lora")
    again = estimate("train.gradient_checkpointing=true")
    assert lora["memory"]["optimizer"] < usual["memory"]["optimizer"] and lora["disk_bytes"] < usual["disk_bytes"]
    assert again["memory"]["activations"] < usual["memory"]["activations"] and again["seconds"] > usual["seconds"]
    halves = estimate("train.optim_state_dtype=bfloat16")
    assert 2 * halves["memory"]["optimizer"] == usual["memory"]["optimizer"]


def giving_out(folder):
    run_dir = folder / "run"
    tapir_run.tapir("run", "recipes/e2e.yaml", "--run-dir", run_dir, "--until", "tapir/round-3/refine", check=0)
    tapir_run.tapir("export", "data", run_dir, "--format", "messages", "-o", folder / "messages", check=0)
    rows = read(folder / "messages" / "train.jsonl")
    assert len(rows) == 300 and all(row["messages"][-1]["role"] == "assistant" for row in rows)
    tapir_run.tapir("export", "data", run_dir, "--format", "alpaca", "-o", folder / "alpaca", check=0)
    assert len(json.loads((folder / "alpaca" / "train.json").read_text())) == 300
    assert "train" in (folder / "alpaca" / "dataset_info.json").read_text()
    status = json.loads(tapir_run.tapir("status", run_dir, "--json", check=0).stdout)
    assert not status["finished"] and status["stages"][0]["state"] == "done"
    record = json.loads(tapir_run.tapir("inspect", run_dir, rows[0]["id"], "--json", check=0).stdout)
    assert record["responses"]


def main():
    for cases in (generating, scoring, training, previewing, planning, adapters, giving_out):
        with tempfile.TemporaryDirectory() as folder:
            cases(pathlib.Path(folder))
            print(f"ok  {cases.__name__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
