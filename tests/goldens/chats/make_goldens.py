#!/usr/bin/env python3
"""Makes the goldens of the chat formats: Jinja2's rendering of templates, set up as transformers does it, as tokens.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install tokenizers==0.23.3 jinja2==3.1.6
    .venv-peers/bin/python tests/goldens/chats/make_goldens.py [--llama-cpp FOLDER]

Writes, beside this script:
    byte_level/       a small tokenizer.json with the control tokens of most formats
    byte_level_inst/  the same and [INST] [/INST]
    byte_fallback/    one as Llama-2's: blanks are written as U+2581, one stands before every text
    chats.jsonl.gz    {"format", "template", "tokenizer", "messages", "text", "ids", "learnt"}: learnt has a 1 for every
                      token of the answers, their end-of-turn token included. "prompt": true where the conversation ends
                      with a question
The templates are ours (templates.json, which a test holds equal to the table in src/text), the published ones of the
test data (TAPIR_TEST_DATA), and, with --llama-cpp, those that a checkout of llama.cpp (its source distribution has
them too) holds in models/templates and tests/test-chat-template.cpp. None of their text is written.
"""
import argparse
import gzip
import json
import os
import pathlib
import random
import re
import sys

import jinja2
import jinja2.sandbox
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import trainers

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = {"tokenizers": "0.23.3", "jinja2": "3.1.6"}

# As in the models' own tokenizers: Phi-3's swallow the white space behind them; Qwen3's <think> is an added token, but
# no control token.
CONTROL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
           "<start_of_turn>", "<end_of_turn>"]
SWALLOWS = ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
WORDS = ["<think>", "</think>", "<tool_response>", "</tool_response>"]
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")

# Where an answer ends. A format whose template keeps the system message for the last question alone.
END_OF_TURN = {"chatml": "<|im_end|>", "qwen2": "<|im_end|>", "qwen2.5": "<|im_end|>", "qwen3": "<|im_end|>",
               "llama3": "<|eot_id|>", "llama3.1": "<|eot_id|>", "gemma": "<end_of_turn>", "gemma3": "<end_of_turn>",
               "phi3": "<|end|>", "compact": "<|end|>"}
LAST_USER = {"mistral-v3", "mistral-nemo"}
# In their tokenizers [INST] is a token; elsewhere it is text.
INST = {"mistral-v3", "mistral-nemo"}

# Which format a published template is.
SHARED = {"Qwen-Qwen2.5-7B-Instruct": "qwen2.5", "google-gemma-2-2b-it": "gemma",
          "meta-llama-Llama-3.2-3B-Instruct": "llama3.1", "microsoft-Phi-3.5-mini-instruct": "phi3",
          "mistralai-Mistral-Nemo-Instruct-2407": "mistral-nemo"}
LLAMA_CPP = {"Qwen-Qwen3-0.6B": "qwen3", "meta-llama-Llama-3.1-8B-Instruct": "llama3.1",
             "meta-llama-Llama-3.3-70B-Instruct": "llama3.1"}
LLAMA_CPP_TESTS = {
    "teknium/OpenHermes-2.5-Mistral-7B": "chatml",
    "mistralai/Mistral-7B-Instruct-v0.2 (NOTE: Old pre-v1 without a system prompt)": "mistral",
    "mistralai/Mistral-7B-Instruct-v0.2 (mistralai 'v1' template with a system prompt)": "mistral-v1",
    "Mistral-Large-Instruct-2407 (mistralai 'v3' template; modified to have system prompt at start)": "mistral-v3"}

CHATS = [
    [("user", "What is 3 + 4?"), ("assistant", "7")],
    [("system", "Answer in one word."), ("user", "Is water wet?"), ("assistant", "Yes.")],
    [("user", "First question"), ("assistant", "First answer"), ("user", "And\nthe second?"),
     ("assistant", "Line one\nline two")],
    [("system", "You sort words."), ("user", "pear apple"), ("assistant", "apple pear"), ("user", "z y x"),
     ("assistant", "x y z"), ("user", "你好 🙂"), ("assistant", "Übergröße")],
    [("user", "  blanks around \u00a0"), ("assistant", "an answer \n")],
    [("user", "\n\nlines"), ("assistant", "\n  indented\n\nanswer"), ("user", " again"), ("assistant", " and again ")],
    [("system", "  A system message with blanks \n"), ("user", "question"), ("assistant", "answer")],
    [("user", "Why?"), ("assistant", "<think>\nBecause of\n\nthis.\n</think>\n\nTherefore."), ("user", "Sure?"),
     ("assistant", "<think>Quite.</think>Yes.")],
    [("user", "Only a question")],
    [("system", "Rules."), ("user", "One"), ("assistant", "Two"), ("user", "Three")],
    [("user", "One"), ("assistant", "Two "), ("user", " Three ")],
    [("user", "What is the weather?"), ("assistant", "I look."), ("tool", "sunny"), ("tool", "21 degrees"),
     ("assistant", "Sunny, 21 degrees.")],
]


class Refused(Exception):
    pass


def render(template, messages, add_generation_prompt):
    """As transformers.apply_chat_template() renders."""
    def raise_exception(message):
        raise Refused(message)
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda format: "26 Jul 2024"
    return environment.from_string(template).render(
        messages=messages, tools=None, documents=None, add_generation_prompt=add_generation_prompt,
        bos_token="<s>", eos_token="</s>")


def texts(rng):
    words = ("river stone lamp garden engine window letter market carries opens follows paints measures forgets user "
             "assistant system model question answer instruction response Below is an that describes a task").split()
    for _ in range(3000):
        yield " ".join(rng.choice(words) for _ in range(rng.randint(1, 9))) + rng.choice([".", "\n", "\n\n", "?", ":\n"])


def add_tokens(tokenizer):
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in CONTROL])
    tokenizer.add_special_tokens([AddedToken(word, special=True, rstrip=True) for word in SWALLOWS])
    tokenizer.add_tokens([AddedToken(word, normalized=False, special=False) for word in WORDS])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return tokenizer


def with_inst(tokenizer):
    tokenizer = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.add_special_tokens([AddedToken("[INST]", special=True), AddedToken("[/INST]", special=True)])
    return tokenizer


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(list(texts(random.Random("texts"))), trainers.BpeTrainer(
        vocab_size=500, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    return add_tokens(tokenizer)


def byte_fallback():
    trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                         decoders.Strip(" ", 1, 0)])
    lines = [" ".join(re.findall(r"\w+|\W", line)) for line in texts(random.Random("texts"))]
    trained.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=700, show_progress=False, max_token_length=12,
        special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]))
    # The byte tokens are ordinary ones in such a tokenizer, not control tokens.
    data = json.loads(trained.to_str())
    data["added_tokens"] = [token for token in data["added_tokens"] if token["id"] < 3]
    data["model"]["ignore_merges"] = False
    return add_tokens(Tokenizer.from_str(json.dumps(data)))


def test_templates(folder):
    """The templates that llama.cpp's test holds as C++ strings, by name."""
    source = (folder / "tests" / "test-chat-template.cpp").read_text()
    for name, text in re.findall(r'/\* \.name= \*/ "((?:[^"\\]|\\.)*)",\s*(?://[^\n]*\n\s*)?/\* \.template_str= \*/ '
                                 r'"((?:[^"\\]|\\.)*)"', source):
        yield name, text.encode().decode("unicode_escape")


def templates(llama_cpp):
    """(format, name of the template, its text)"""
    for name, text in json.loads((HERE / "templates.json").read_text()).items():
        yield name, name, text
    data = os.environ.get("TAPIR_TEST_DATA", HERE.parents[3] / "shared" / "data")
    folder = pathlib.Path(data) / "tokenizers" / "chat_templates"
    for name, format in SHARED.items():
        yield format, name, (folder / (name + ".jinja")).read_text()
    if llama_cpp is None:
        return
    for name, format in LLAMA_CPP.items():
        yield format, name, (llama_cpp / "models" / "templates" / (name + ".jinja")).read_text()
    found = dict(test_templates(llama_cpp))
    for name, format in LLAMA_CPP_TESTS.items():
        yield format, name, found[name]


def conversation(format, template, messages):
    """Rendered text, and for every answer that is learnt the place where it begins. None: the template refuses."""
    answered = messages[-1]["role"] == "assistant"
    without = [message for message in messages if message["role"] != "system"]
    if not answered:
        return render(template, messages, True), []
    if format in LAST_USER and len(without) < len(messages):
        # Such a template forgets the system message once the answer is there; who asks for the answer has shown it.
        prompt = render(template, messages[:-1], True)
        answer = render(template, without, False)[len(render(template, without[:-1], True)):]
        return prompt + answer, [len(prompt)]
    text = render(template, messages, False)
    begins = []
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            prompt = render(template, messages[:i], True)
            assert text.startswith(prompt), (format, prompt, text)
            begins.append(len(prompt))
    return text, begins


def encode(tokenizer, format, text, begins):
    """Generation sees the prompt without the answer: no token may cross the place where an answer begins."""
    end_mark = END_OF_TURN.get(format, "</s>")
    ends = [text.index(end_mark, begin) + len(end_mark) for begin in begins]
    whole = tokenizer.encode(text, add_special_tokens=False)
    crossing = [span for token, span in zip(whole.tokens, whole.offsets) if not token.startswith(tuple(SWALLOWS))]
    places = [0] + [place for place in begins if any(b < place < e for b, e in crossing)] + [len(text)]
    if len(places) > 2 and tokenizer.normalizer.__class__.__name__ == "Sequence":
        return None, None  # a blank would come before the second part
    ids, learnt = [], []
    for begin, end in zip(places, places[1:]):
        part = tokenizer.encode(text[begin:end], add_special_tokens=False)
        ids += part.ids
        learnt += [int(any(b <= begin + at < e for b, e in zip(begins, ends))) for at, _ in part.offsets]
    return ids, learnt


def chats(made, llama_cpp):
    for format, name, template in templates(llama_cpp):
        for chat in CHATS:
            messages = [{"role": role, "content": content} for role, content in chat]
            if any(role == "tool" for role, _ in chat) and format not in ("qwen2.5", "qwen3"):
                continue
            try:
                text, begins = conversation(format, template, messages)
            except Refused:
                yield {"format": format, "template": name, "messages": messages, "refused": True}
                continue
            for tokenizer_name, tokenizer in made.items():
                if (tokenizer_name == "byte_level_inst") != (format in INST):
                    continue
                ids, learnt = encode(tokenizer, format, text, begins)
                if ids is not None:
                    yield {"format": format, "template": name, "tokenizer": tokenizer_name, "messages": messages,
                           "text": text, "ids": ids, "learnt": "".join(map(str, learnt)),
                           "last_only": format in LAST_USER and len(begins) == 1}


def main():
    found = {"tokenizers": tokenizers.__version__, "jinja2": jinja2.__version__}
    if found != VERSIONS:
        sys.exit(f"goldens are made with {VERSIONS}, found {found}")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llama-cpp", type=pathlib.Path)
    options = parser.parse_args()
    made = {"byte_level": byte_level(), "byte_fallback": byte_fallback()}
    made["byte_level_inst"] = with_inst(made["byte_level"])
    for name, tokenizer in made.items():
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}) + "\n")
    rows = list(chats(made, options.llama_cpp))
    text = "".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n" for row in rows)
    with open(HERE / "chats.jsonl.gz", "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(text.encode())
    print(f"{len(rows)} rows")


if __name__ == "__main__":
    main()
