#!/usr/bin/env python3
"""Makes greedy.json and dump.json for tests/e2e/stories_test.py: what transformers says of stories260K.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install torch==2.11.0 transformers==5.23.0
    .venv-peers/bin/python tests/goldens/stories260k/make_goldens.py
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = HERE.parents[2] / "scripts"
PROMPT, COUNT = "Once upon a time", 200


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, SCRIPTS / "make_stories260k.py", folder], check=True)
        subprocess.run([sys.executable, SCRIPTS / "dump_model.py", folder, HERE / "dump.json"], check=True)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder).float().eval()
        ids = tokenizer(PROMPT, return_tensors="pt").input_ids
        with torch.no_grad():
            out = model.generate(ids, do_sample=False, max_new_tokens=COUNT)[0].tolist()
    text = tokenizer.decode(out[ids.shape[1]:], skip_special_tokens=True)
    golden = {"transformers": transformers.__version__, "prompt": PROMPT, "tokens": out[ids.shape[1]:], "text": text}
    (HERE / "greedy.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
