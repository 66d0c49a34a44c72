#!/usr/bin/env python3
"""Random strings through the reference tokenizers and through ours, side by side: ids and decoded text must be equal.

    ./dev build && ninja -C build tokenize_speed
    .venv-peers/bin/python tests/goldens/tokenizers/differential.py [--strings 100000] [--seed 1] [--families qwen2 ...]

The environment is that of make_family_goldens.py. Families and their vocabularies:
families.py. For the families of tokenizer.json two readings are compared: `specials` (added tokens in the text are
recognised) and `text` (special ones are not). For sentencepiece models the reading is `text`, against the package's encode().
With --tapir the first 2,000 valid strings also go through `tapir tokenize`.
Strings: all planes of Unicode, invalid UTF-8 (the peer gets it as Python's errors="replace" repairs it, and so do we by
ourselves), control characters, long runs of blanks, look-alikes of special tokens, digits, CJK, emoji, words and code.
Prints one line a family and exits with 1 when anything differs; --show N prints the first differences.
"""
import argparse
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import families

ROOT = pathlib.Path(__file__).resolve().parents[3]
WORDS = ("the of and to river stone don't it's we'll I'VE naïve Übergröße привет мир ελληνικά שלום नमस्ते 你好 世界 こんにちは "
         "한국어 ไทย def return == != -> :: http://x.org/a?b=1 camelCase snake_case ALLCAPS 3.14 1,000,000 2nd ½ ² Ⅷ ٣ 第3章 é").split()
BLANKS = [" ", "  ", "\n", "\t", "\r\n", "\r", "\u00a0", "\u3000", "\u2003", "\x85", "\u180e", "\u200b", "\u2028", "\x0b", "▁"]
MARKS = ["e\u0301", "A\u030a", "\uac00\u11a8", "\u1112\u1161\u11ab", "\u212b", "ﬁ", "①", "\u0344", "a\u0323\u0307", "it'ſ",
         "İ", "ǅ", "\ufeff", "\u200d", "👩‍👩‍👧", "🇩🇪", "👍🏽", "\U0001F600"]
BROKEN = [b"\xff", b"\xc3", b"\xe4\xb8", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\x80\x80", b"\xe2\x96"]


def any_character(rng):
    while True:
        point = rng.choice([rng.randrange(0x3000), rng.randrange(0x10000), rng.randrange(0x110000)])
        if not 0xD800 <= point < 0xE000:
            return chr(point)


def piece(rng, tokens):
    kind = rng.randrange(13)
    if kind <= 2:
        return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 8)))
    if kind == 3:
        return "".join(any_character(rng) for _ in range(rng.randint(1, 8)))
    if kind == 4:
        return rng.choice(BLANKS) * rng.choice([1, 1, 2, 3, 7, 30, 120])
    if kind == 5:
        return "".join(chr(rng.choice([rng.randrange(0x20), rng.randrange(0x7f, 0xa0)])) for _ in range(rng.randint(1, 4)))
    if kind == 6:
        return str(rng.randrange(10 ** rng.randint(1, 20)))
    if kind == 7:
        return rng.choice(tokens)
    if kind == 8:
        token = rng.choice(tokens)
        return rng.choice([token[:-1], token[1:], token.upper(), token.replace("|", "||"), token * 2, " ".join(token)])
    if kind == 9:
        return "".join(rng.choice(MARKS) for _ in range(rng.randint(1, 4)))
    if kind == 10:
        return "".join(chr(rng.randrange(0x4e00, 0x9fff)) for _ in range(rng.randint(1, 30)))
    if kind == 11:
        return "".join(chr(rng.randrange(0x21, 0x7f)) for _ in range(rng.randint(1, 20)))
    return rng.choice(["abc", "ab", "a", "x", "=", "-", "the", " t"]) * rng.randint(1, 60)


def make_strings(count, seed, tokens):
    rng = random.Random(f"differential {seed}")
    for _ in range(count):
        pieces = []
        for _ in range(rng.randint(1, 7)):
            pieces.append(piece(rng, tokens).encode())
            if rng.random() < 0.3:
                pieces.append(b" ")
            if rng.random() < 0.06:
                pieces.append(rng.choice(BROKEN))
        yield b"".join(pieces)


def write_strings(path, strings):
    path.write_bytes(b"".join(struct.pack("<I", len(text)) + text for text in strings))


def read_results(path, count):
    data = path.read_bytes()
    at = 0
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data, at)
        ids = list(struct.unpack_from(f"<{length}i", data, at + 4))
        at += 4 + 4 * length
        (length,) = struct.unpack_from("<I", data, at)
        yield ids, data[at + 4:at + 4 + length].decode()
        at += 4 + length


def peer_results(peer, texts, mode):
    if not hasattr(peer, "encode_special_tokens"):  # a sentencepiece model
        for text in texts:
            ids = peer.encode(text)
            # The package writes an unknown token as " ⁇ ", transformers and we by its name.
            yield ids, None if peer.unk_id() in ids else peer.decode(ids)
        return
    peer.encode_special_tokens = mode == "text"
    for start in range(0, len(texts), 2000):
        for encoding in peer.encode_batch_fast(texts[start:start + 2000], add_special_tokens=False):
            yield encoding.ids, peer.decode(encoding.ids, skip_special_tokens=False)


def compare(name, mode, folder, peer, strings, options):
    """The numbers of the strings that differ."""
    write_strings(folder / "strings.bin", strings)
    subprocess.run([options.program, folder, folder / "strings.bin", mode, folder / "ids.bin"], check=True)
    texts = [text.decode("utf-8", "replace") for text in strings]
    theirs = peer_results(peer, texts, mode)
    differ = []
    for i, (ours, expected) in enumerate(zip(read_results(folder / "ids.bin", len(strings)), theirs, strict=True)):
        if ours == expected or (expected[1] is None and ours[0] == expected[0]):
            continue
        differ.append(i)
        if len(differ) <= options.show:
            print(f"  {name} {mode} string {i}: {strings[i]!r}\n    ours  {ours}\n    peer  {expected}")
    return differ


def compare_program(name, folder, peer, strings, options):
    """The same by the program's own verb, which reads JSON lines and adds the begin of text."""
    texts = []
    for text in strings:
        try:
            texts.append(text.decode())
        except UnicodeDecodeError:
            continue
    texts = texts[:2000]
    with open(folder / "rows.jsonl", "w") as rows:
        for i, text in enumerate(texts):
            rows.write(json.dumps({"id": str(i), "prompt": text}) + "\n")
    subprocess.run([options.tapir, "tokenize", "--model", folder, "--input", folder / "rows.jsonl", "--output",
                    folder / "ids.jsonl"], check=True, stderr=subprocess.DEVNULL)
    peer.encode_special_tokens = False
    rows = [json.loads(line) for line in open(folder / "ids.jsonl")]
    return [i for i, (row, text) in enumerate(zip(rows, texts, strict=True)) if row["ids"] != peer.encode(text).ids]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strings", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--families", nargs="+", default=families.JSON_FAMILIES + families.SENTENCEPIECE_FAMILIES)
    parser.add_argument("--data", type=pathlib.Path,
                        default=os.environ.get("TAPIR_TEST_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--program", default=ROOT / "build" / "tests" / "text" / "tokenize_speed")
    parser.add_argument("--tapir", help="also compare by this program")
    options = parser.parse_args()
    failed = False
    for name in options.families:
        tokens = sum(families.ADDED.get(name, (["<unk>", "<s>", "</s>", "<user>", "=="], [])), [])
        strings = list(make_strings(options.strings, options.seed, tokens))
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            peer = families.published(folder, name, pathlib.Path(options.data))
            modes = ["specials", "text"] if name in families.JSON_FAMILIES else ["text"]
            differ = {mode: len(compare(name, mode, folder, peer, strings, options)) for mode in modes}
            if options.tapir and name in families.JSON_FAMILIES:
                differ["tapir tokenize"] = len(compare_program(name, folder, peer, strings, options))
        failed = failed or any(differ.values())
        print(f"{name}: {len(strings)} strings, seed {options.seed}; differences:",
              ", ".join(f"{mode} {count}" for mode, count in differ.items()), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
