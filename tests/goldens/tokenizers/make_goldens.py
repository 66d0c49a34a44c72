#!/usr/bin/env python3
"""Makes the goldens of tests/text with the reference packages.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install tokenizers==0.23.3
    .venv-peers/bin/python tests/goldens/tokenizers/make_goldens.py

Writes, beside this script:
    gpt2_pattern/  a small tokenizer.json: ByteLevel with its own pattern, begin-of-text template
    split_nfc/     NFC, Split by a pattern as newer models have it, then ByteLevel
    strings.jsonl.gz  {"text", "<tokenizer>": [ids], ...}: 1,000 mixed strings; "decoded <tokenizer>"
                      where decoding does not give the text back
Reads trained/tokenizer.json, which our own trainer made (a test of tests/text makes it anew and compares; with
TAPIR_UPDATE_GOLDENS=1 it writes it), and gives its ids as "trained".
"""
import gzip
import json
import pathlib
import random
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = {"tokenizers": "0.23.3"}

CONTROL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
           "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")

NOUNS = "river stone lamp garden engine window letter market bridge signal copper orchard harbour pencil kettle".split()
VERBS = "carries opens follows paints measures forgets repairs answers holds crosses sorts adds compares".split()
OTHERS = ("Übergröße straße naïve façade señor coração žluťoučký kůň привет мир ελληνικά שלום مرحبا नमस्ते 你好 世界 "
          "こんにちは 한국어 ไทย 🙂 🚀 👩‍👩‍👧 é à ½ ² Ⅷ ٣ 第3章").split()


def training_text(rng):
    for _ in range(4000):
        words = [rng.choice(NOUNS if i % 2 else VERBS) for i in range(rng.randint(2, 9))]
        if rng.random() < 0.3:
            words.insert(rng.randrange(len(words)), rng.choice(OTHERS))
        line = " ".join(words)
        if rng.random() < 0.3:
            line += f" {rng.randint(0, 999)} + {rng.randint(0, 99)} = {rng.randint(0, 1200)}"
        if rng.random() < 0.2:
            line = "def " + line.replace(" ", "_") + "(x):\n    return x\n\n"
        yield line.capitalize() + rng.choice([".", "!", "?", "\n", "'s", ", it's they're we'll"])


def train(name, rng):
    tokenizer = Tokenizer(models.BPE())
    if name == "gpt2_pattern":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(list(training_text(rng)), trainers.BpeTrainer(
        vocab_size=900, special_tokens=CONTROL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_tokens([
        AddedToken("<tool>", normalized=False),
        AddedToken("<fim>", normalized=False, lstrip=True, rstrip=True),
        AddedToken("naïve-token", normalized=True),
        AddedToken("wordy", normalized=True, single_word=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return tokenizer


def any_character(rng):
    """Of every plane; assigned in Unicode 14, so that newer or older tables on either side agree."""
    while True:
        plane = rng.choice([0, 0, 0, 1, 1, 2, 3, 14, 15, 16])
        point = plane * 0x10000 + rng.randrange(0x10000)
        if unicodedata.category(chr(point)) not in ("Cn", "Cs"):
            return chr(point)


def mixed_string(rng):
    pieces = []
    for _ in range(rng.randint(1, 7)):
        kind = rng.randrange(12)
        if kind <= 2:
            pieces.append(" ".join(rng.choice(NOUNS + VERBS + OTHERS) for _ in range(rng.randint(1, 5))))
        elif kind == 3:
            pieces.append("".join(any_character(rng) for _ in range(rng.randint(1, 6))))
        elif kind == 4:
            pieces.append(rng.choice([" ", "\n", "\t", "\r\n", "\u00a0", "\u3000", "\u2003", "\x85", "\u180e"])
                          * rng.randint(1, 12))
        elif kind == 5:
            pieces.append("".join(chr(rng.randrange(0x20)) for _ in range(rng.randint(1, 4))))
        elif kind == 6:
            pieces.append(str(rng.randrange(10 ** rng.randint(1, 9))))
        elif kind == 7:
            pieces.append(rng.choice(CONTROL + ["<tool>", "<fim>", "naïve-token", "wordy", "nai\u0308ve-token"]))
        elif kind == 8:
            token = rng.choice(CONTROL)
            pieces.append(rng.choice([token[:-1], token[1:], token.upper(), token.replace("|", "||"), token * 2]))
        elif kind == 9:
            pieces.append(rng.choice(["'s", "'LL", "'re ", "it'ſ", "don't", "e\u0301", "A\u030a", "\uac00\u11a8",
                                      "\u1112\u1161\u11ab", "\u212b", "ﬁ", "½", "²", "①"]))
        elif kind == 10:
            pieces.append(bytes(rng.randrange(256) for _ in range(rng.randint(1, 6))).decode("utf-8", "replace"))
        else:
            pieces.append(rng.choice(["!!!", "...", "++", "{}", "();", "/*", "#", "§", "€", "—", "“", "\ufeff"]))
        if rng.random() < 0.4:
            pieces.append(" ")
    return "".join(pieces)


def write_lines(name, rows):
    text = "".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n" for row in rows)
    with open(HERE / name, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(text.encode())


def strings(rng, made):
    special = ["", " ", "\n", "a", "  a  ", "x" * 300, "ab" * 200 + " " * 90, "\n\n\n    if x:\n\t\treturn"]
    for text in special + [mixed_string(rng) for _ in range(1000 - len(special))]:
        row = {"text": text}
        for name, tokenizer in made.items():
            row[name] = tokenizer.encode(text, add_special_tokens=False).ids
            decoded = tokenizer.decode(row[name], skip_special_tokens=False)
            if decoded != text:
                row["decoded " + name] = decoded
        yield row


def main():
    found = {"tokenizers": tokenizers.__version__}
    if found != VERSIONS:
        sys.exit(f"goldens are made with {VERSIONS}, found {found}")
    made = {}
    for name in ("gpt2_pattern", "split_nfc"):
        made[name] = train(name, random.Random(name))
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        made[name].save(str(folder / "tokenizer.json"), pretty=False)
        (folder / "tokenizer_config.json").write_text(json.dumps(
            {"bos_token": "<s>", "eos_token": {"content": "</s>"}}, indent=1) + "\n")
    made["trained"] = Tokenizer.from_file(str(HERE / "trained" / "tokenizer.json"))
    write_lines("strings.jsonl.gz", strings(random.Random("strings"), made))


if __name__ == "__main__":
    main()
