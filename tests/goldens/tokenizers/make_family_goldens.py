#!/usr/bin/env python3
"""Makes the goldens of tests/text/family_test.cpp: small tokenizers of each family's form, and what the reference reads.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install tokenizers==0.23.3 sentencepiece==0.1.99 protobuf==3.20.3
    .venv-peers/bin/python tests/goldens/tokenizers/make_family_goldens.py

Writes families/<name>/tokenizer.json or tokenizer.model, and family_strings.jsonl.gz: a slice of the strings of
differential.py, {"bytes": hexadecimal, "<name>": {"specials": [ids], "text": [ids], "decoded": of the specials}};
"text" only where it differs. Where two ways to cut a text have the very same score, sentencepiece 0.2 takes another one than
0.1 in its unigram models; Debian's is 0.1.97.
"""
import gzip
import json
import pathlib
import random
import shutil

import sentencepiece

import differential
import families
from make_goldens import HERE, training_text, write_lines

NAMES = ["llama3", "nemo", "llama2", "mistral", "phi3", "gemma", "mixed"]
STRINGS = 160


def train_sentencepiece(folder, kind, lines):
    if kind == "unigram":
        return families.train_unigram(folder, lines, 400, nfkc=False)
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(lines), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "tokenizer"), vocab_size=600, model_type="bpe", byte_fallback=True,
        character_coverage=0.99, user_defined_symbols=["<user>", "<end>"], normalization_rule_name="identity",
        remove_extra_whitespaces=False, split_digits=True, num_threads=1, minloglevel=2)
    corpus.unlink()
    (folder / "tokenizer.vocab").unlink()
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


def make_tokenizers():
    lines = list(training_text(random.Random("families")))
    shutil.rmtree(HERE / "families", ignore_errors=True)
    made = {}
    for name in NAMES:
        folder = HERE / "families" / name
        folder.mkdir(parents=True)
        made[name] = families.small(name, lines, 500)
        made[name].save(str(folder / "tokenizer.json"), pretty=False)
    for kind in ("bpe", "unigram"):
        folder = HERE / "families" / f"spm_{kind}"
        folder.mkdir(parents=True)
        made[f"spm_{kind}"] = train_sentencepiece(folder, kind, lines)
    return made


def read(name, tokenizer, text):
    modes = ["specials", "text"] if name in families.JSON_FAMILIES else ["text"]
    results = {mode: next(iter(differential.peer_results(tokenizer, [text], mode))) for mode in modes}
    first = modes[0]
    row = {"specials": results[first][0]}
    if results["text"][0] != row["specials"]:
        row["text"] = results["text"][0]
    if results[first][1] not in (None, text):
        row["decoded"] = results[first][1]
    return row


def main():
    made = make_tokenizers()
    tokens = sorted({t for name in NAMES for t in sum(families.ADDED[name], [])} | {"<user>", "<end>"})
    rows = []
    for raw in differential.make_strings(STRINGS, "goldens", tokens):
        text = raw.decode("utf-8", "replace")
        rows.append({"bytes": raw.hex()} | {name: read(name, tokenizer, text) for name, tokenizer in made.items()})
    write_lines("family_strings.jsonl.gz", rows)


if __name__ == "__main__":
    main()
