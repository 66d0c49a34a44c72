#!/usr/bin/env python3
"""Verdicts of `tapir eval compliance` beside IFEval's own checkers (the package if-verifiable carries them).

    python3 benchmarks/ifeval_bench.py [--build build] [--answers 600]

Answers of five models of ../shared/data/alpaca_eval, half of them reshaped by the seed (capitals, quotation marks, a title, bullets, an
introduction ...), so that every instruction is kept by some. Each answer is asked for all 25 instructions with arguments near what it has:
both sides judge the same rows, strictly and loosely. Prints one JSON object: for each instruction rows, how often the peer says kept, and the
share of equal verdicts; and the seconds of both.

What the peer would download is left out: without NLTK's punkt data `number_sentences` is not compared, and words of capitals are counted on
NLTK's tokens of the whole text instead of each sentence. langdetect gets a fixed seed.
"""
import argparse
import gzip
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

import peers

PACKAGES = ["if-verifiable==0.1.2", "nltk==3.10.4", "langdetect==1.0.9"]
LANGUAGES = ["en", "de", "fr", "es", "it", "pt"]


def reshaped(text, random_):
    """One of a dozen changes of form."""
    lines = [line for line in text.split("\n") if line.strip()]
    return random_.choice([
        lambda: text.upper(), lambda: text.lower(), lambda: f'"{text}"', lambda: json.dumps({"answer": text}),
        lambda: f"```json\n{json.dumps([text])}\n```", lambda: f"<<Title>>\n{text}", lambda: f"Sure, here it is:\n{text}",
        lambda: "\n".join("* " + line for line in lines), lambda: text + "\n\nP.S. One more thing.", lambda: text.replace(",", ""),
        lambda: text + "\n******\nAnother answer.", lambda: "\n***\n".join(lines), lambda: text + " My answer is yes.",
        lambda: "\n".join(f"Section {i + 1}\n**{line}**" for i, line in enumerate(lines)), lambda: text + " [name] [date]",
    ])()


def near(count, random_):
    return max(1, count + random_.choice([-1, 0, 0, 1]))


def instructions_for(text, random_):
    """All 25, with arguments that the text nearly keeps."""
    words = re.findall(r"[A-Za-z]+", text) or ["none"]
    relation = lambda: random_.choice(["at least", "less than"])
    word, other = random_.choice(words), random_.choice(words)
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    nth = random_.randint(1, max(1, len(paragraphs)))
    start = re.sub(r"[^a-z].*", "", paragraphs[min(nth, len(paragraphs)) - 1].strip().lower()) if paragraphs else ""
    return {
        "keywords:existence": {"keywords": [word, random_.choice([other, "zebra"])]},
        "keywords:frequency": {"keyword": word, "frequency": near(len(re.findall(word, text, re.I)), random_), "relation": relation()},
        "keywords:forbidden_words": {"forbidden_words": [random_.choice([word[:-1] or "x", word, "zebra"])]},
        "keywords:letter_frequency": {"letter": random_.choice("etaoq"), "let_frequency": near(text.lower().count("e"), random_),
                                      "let_relation": relation()},
        "language:response_language": {"language": random_.choice(LANGUAGES[:2])},
        "length_constraints:number_sentences": {"num_sentences": near(text.count("."), random_), "relation": relation()},
        "length_constraints:number_paragraphs": {"num_paragraphs": near(len(text.split("***")), random_)},
        "length_constraints:number_words": {"num_words": near(len(re.findall(r"\w+", text)), random_), "relation": relation()},
        "length_constraints:nth_paragraph_first_word": {"num_paragraphs": near(len(paragraphs), random_), "nth_paragraph": nth,
                                                        "first_word": start or "the"},
        "detectable_content:number_placeholders": {"num_placeholders": near(len(re.findall(r"\[.*?\]", text)), random_)},
        "detectable_content:postscript": {"postscript_marker": random_.choice(["P.S.", "P.P.S"])},
        "detectable_format:number_bullet_lists": {"num_bullets": near(len(re.findall(r"^\s*[*-]", text, re.M)), random_)},
        "detectable_format:constrained_response": {},
        "detectable_format:number_highlighted_sections": {"num_highlights": near(text.count("*") // 2, random_)},
        "detectable_format:multiple_sections": {"section_spliter": "Section", "num_sections": near(text.count("Section"), random_)},
        "detectable_format:json_format": {},
        "detectable_format:title": {},
        "combination:two_responses": {},
        "combination:repeat_prompt": {"prompt_to_repeat": text[:random_.choice([5, 20])] if text.strip() else "none"},
        "startend:end_checker": {"end_phrase": text.strip()[-random_.choice([4, 12]):] or "end"},
        "startend:quotation": {},
        "change_case:capital_word_frequency": {"capital_frequency": near(len(re.findall(r"\b[A-Z]+\b", text)), random_),
                                               "capital_relation": relation()},
        "change_case:english_capital": {},
        "change_case:english_lowercase": {},
        "punctuation:no_comma": {},
    }


def make_rows(data, count):
    texts = []
    for file in sorted((data / "alpaca_eval" / "outputs").glob("*.json.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as stream:
            texts += [row["output"] for row in json.load(stream) if row["output"].strip()]
    random_ = random.Random(1)
    rows = []
    for number, text in enumerate(random_.sample(texts, min(count, len(texts)))):
        answer = reshaped(text, random_) if number % 2 else text
        asked = instructions_for(answer, random_)
        rows.append({"key": number, "prompt": f"prompt {number}", "answer": answer,
                     "instruction_id_list": list(asked), "kwargs": list(asked.values())})
    return rows


def ours(program, rows, folder):
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "answers.jsonl").write_text("".join(json.dumps({"key": row["key"], "response": row["answer"]}) + "\n" for row in rows))
    started = time.time()
    subprocess.run([program, "eval", "compliance", "--input", folder / "rows.jsonl", "--answers", folder / "answers.jsonl",
                    "--output", folder / "found.jsonl"], check=True, stdout=subprocess.DEVNULL)
    seconds = time.time() - started
    with open(folder / "found.jsonl") as file:
        found = [json.loads(line) for line in file]
    return [[(one["strict"], one["loose"]) for one in row["components"]] for row in found], seconds


# Runs in the peer's environment: reads rows, writes [[strict, loose] or null for each instruction] for each row, and its seconds.
PEER = r"""
import json, logging, sys, time
logging.disable(logging.CRITICAL)
import langdetect, nltk
from nltk.tokenize import NLTKWordTokenizer
from if_verifiable.ifeval import instructions_registry as registry
langdetect.DetectorFactory.seed = 0
try:
    nltk.sent_tokenize("A. B.")
    left_out = set()
except LookupError:
    left_out = {"length_constraints:number_sentences"}
    nltk.word_tokenize = NLTKWordTokenizer().tokenize

def forms(text):
    lines = text.split("\n")
    cut = [text, "\n".join(lines[1:]).strip(), "\n".join(lines[:-1]).strip(), "\n".join(lines[1:-1]).strip()]
    return cut + [one.replace("*", "") for one in cut]

out, started = [], time.time()
for line in open(sys.argv[1]):
    row = json.loads(line)
    verdicts = []
    for name, kwargs in zip(row["instruction_id_list"], row["kwargs"]):
        if name in left_out:
            verdicts.append(None)
            continue
        instruction = registry.INSTRUCTION_DICT[name](name)
        instruction.build_description(**kwargs)
        follows = lambda text: bool(text.strip() and instruction.check_following(text))
        verdicts.append([follows(row["answer"]), any(follows(text) for text in forms(row["answer"]))])
    out.append(verdicts)
print(json.dumps({"verdicts": out, "seconds": time.time() - started}))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=peers.ROOT / "build", type=pathlib.Path)
    parser.add_argument("--answers", type=int, default=600)
    args = parser.parse_args()
    data = pathlib.Path(os.environ.get("TAPIR_TEST_DATA", peers.ROOT.parent / "shared" / "data"))
    if not (data / "alpaca_eval" / "outputs").is_dir():
        sys.exit(f"no answers at {data}/alpaca_eval/outputs")
    rows = make_rows(data, args.answers)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        mine, seconds = ours(args.build / "tapir", rows, folder)
        python = peers.peer_python(peers.ROOT / ".venv-peers" / "ifeval", PACKAGES)
        theirs = peers.run_json([python, "-c", PEER, folder / "rows.jsonl"])
    table = {}
    for row, a, b in zip(rows, mine, theirs["verdicts"]):
        for instruction, x, y in zip(row["instruction_id_list"], a, b):
            entry = table.setdefault(instruction, {"rows": 0, "kept": 0, "strict": 0, "loose": 0})
            if y is None:
                continue
            entry["rows"] += 1
            entry["kept"] += y[0]
            entry["strict"] += x[0] == y[0]
            entry["loose"] += x[1] == y[1]
    for entry in table.values():
        for key in ("kept", "strict", "loose"):
            entry[key] = round(entry[key] / entry["rows"], 4) if entry["rows"] else None
    print(json.dumps({"instructions": table, "seconds": {"tapir": round(seconds, 2), "peer": round(theirs["seconds"], 2)}}))


if __name__ == "__main__":
    main()
