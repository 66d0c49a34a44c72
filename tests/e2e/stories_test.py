"""stories260K, a really trained Llama, from llama2.c's files: our text is English, and token for token transformers'."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import tapir_run

ROOT = tapir_run.ROOT
GOLDENS = ROOT / "tests" / "goldens" / "stories260k"
SKIPPED = 77
WORDS = {"Once", "upon", "a", "time", "there", "was", "little", "girl", "named", "Lily.", "She", "loved", "to", "play"}


def weights_folder():
    data = os.environ.get("TAPIR_TEST_DATA", ROOT.parent / "shared" / "data")
    return pathlib.Path(data) / "weights"


def check_greedy(model, folder):
    golden = json.loads((GOLDENS / "greedy.json").read_text())
    count = len(golden["tokens"])
    (folder / "in.jsonl").write_text(json.dumps({"id": "1", "prompt": golden["prompt"]}) + "\n")
    tapir_run.tapir("generate", "--model", model, "--input", folder / "in.jsonl", "--output", folder / "out.jsonl",
                    "--max-new-tokens", count, check=0)
    row = json.loads((folder / "out.jsonl").read_text())
    assert row["response"].strip() == golden["text"].strip(), f"{row['response']!r}\nexpected {golden['text']!r}"
    assert row["usage"]["completion_tokens"] == count == 200
    assert WORDS <= set((golden["prompt"] + row["response"]).replace(",", " ").split()), row["response"]


def check_doctor(model, folder):
    found = tapir_run.tapir("doctor", "--model", model, "--against", GOLDENS / "dump.json", "--json", check=0)
    checks = {check["what"]: check for check in json.loads(found.stdout)}
    assert {"token ids", "chat template", "logits", "greedy text"} <= set(checks), found.stdout
    dump = json.loads((GOLDENS / "dump.json").read_text())
    dump["texts"][0]["ids"][-1] += 1
    (folder / "wrong.json").write_text(json.dumps(dump))
    wrong = tapir_run.tapir("doctor", "--model", model, "--against", folder / "wrong.json", check=3)
    assert "token ids" in wrong.stdout and "differs: 1 of" in wrong.stdout, wrong.stdout


def check_export(model, folder):
    """Its first story is 342 tokens long: it stops by itself, though not within the usual 256."""
    file = folder / "stories.gguf"
    (folder / "story.jsonl").write_text(json.dumps({"prompt": "Once upon a time"}) + "\n")
    arguments = ["export", "gguf", "--model", model, "--output", file, "--outtype", "q8_0", "--prompts",
                 folder / "story.jsonl", "--check-prompts", 1, "--json"]
    endless = tapir_run.tapir(*arguments, check=3)
    assert "1 of 1 answers did not stop" in endless.stderr and "--check-prompts 0" in endless.stderr, endless.stderr
    done = json.loads(tapir_run.tapir(*arguments, "--check-max-new-tokens", 400, check=0).stdout)
    assert done["architecture"] == "llama" and done["bytes"] == file.stat().st_size > 250_000
    assert [answer["stopped"] for answer in done["answers"]] == [True]


def main():
    if not (weights_folder() / "stories260K.bin").exists():
        print(f"skipped: no stories260K.bin in {weights_folder()}")
        return SKIPPED
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        model = folder / "stories260K"
        subprocess.run([sys.executable, ROOT / "scripts" / "make_stories260k.py", model, "--data", weights_folder()], check=True)
        check_greedy(model, folder)
        check_doctor(model, folder)
        check_export(model, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
